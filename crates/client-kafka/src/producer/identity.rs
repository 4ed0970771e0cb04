//! Who this producer is to the brokers.
#![forbid(unsafe_code)]

use headwater_client::ClientError;
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};

use super::sequences::Identity;
use crate::error::{About, of_code};
use crate::metadata::Brokers;

/// Asks for a producer id that nobody had before.
pub(super) async fn new_identity(brokers: &Brokers) -> Result<Identity, ClientError> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        // There is no transaction that could take too long.
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = brokers.any().await?.call(&request, brokers.servers().request_timeout).await?;
    match of_code(answer.error_code, About::Request("InitProducerId")) {
        None => Ok(Identity { producer_id: answer.producer_id.0, epoch: answer.producer_epoch }),
        Some(error) => Err(error),
    }
}
