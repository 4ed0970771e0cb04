//! Describing, making and deleting topics.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use headwater_client::{ClientError, NewTopic, TopicDescription};
use headwater_record::Topic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::error::{About, of_code};
use crate::metadata::Brokers;

const TOPIC_RESOURCE: i8 = 2;
/// `DescribeConfigsResponse.ConfigSource`: given for the topic itself.
const TOPIC_CONFIG: i8 = 1;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn millis(brokers: &Brokers) -> i32 {
    i32::try_from(brokers.servers().request_timeout.as_millis()).unwrap_or(i32::MAX)
}

fn result(code: i16, topic: &str, message: Option<&str>) -> Result<(), ClientError> {
    match of_code(code, About::Topic(topic)) {
        None => Ok(()),
        Some(ClientError::Broker { code, retriable, .. }) => {
            let message =
                message.map_or_else(|| format!("topic {topic} was refused"), |text| format!("topic {topic}: {text}"));
            Err(ClientError::Broker { code, message, retriable })
        }
        Some(error) => Err(error),
    }
}

pub(super) async fn describe(
    brokers: &Brokers,
    topics: &[Topic],
) -> Result<Vec<Option<TopicDescription>>, ClientError> {
    let metadata = brokers.metadata(Some(topics)).await?;
    let describe = |topic: &Topic| {
        let partitions = metadata.partitions(topic)?;
        Some(TopicDescription { topic: topic.clone(), partitions })
    };
    Ok(topics.iter().map(describe).collect())
}

pub(super) async fn list(brokers: &Brokers) -> Result<Vec<Topic>, ClientError> {
    let metadata = brokers.metadata(None).await?;
    Ok(metadata.topics.into_keys().filter(|topic| !metadata.internal.contains(topic)).collect())
}

pub(super) async fn configs(brokers: &Brokers, topic: &Topic) -> Result<BTreeMap<String, String>, ClientError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(topic.as_str()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let response = brokers.any().await?.call(&request, brokers.servers().request_timeout).await?;
    let mut configs = BTreeMap::new();
    for found in response.results {
        let message = found.error_message.as_ref().map(ToString::to_string);
        result(found.error_code, topic.as_str(), message.as_deref())?;
        let own = found.configs.into_iter().filter(|config| config.config_source == TOPIC_CONFIG);
        configs.extend(own.filter_map(|config| Some((config.name.to_string(), config.value?.to_string()))));
    }
    Ok(configs)
}

pub(super) async fn create(
    brokers: &Brokers,
    topics: &[NewTopic],
) -> Result<Vec<Result<(), ClientError>>, ClientError> {
    let creatable = topics.iter().map(|topic| {
        let configs = topic
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        CreatableTopic::default()
            .with_name(TopicName(text(topic.topic.as_str())))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication_factor)
            .with_configs(configs.collect())
    });
    let request = CreateTopicsRequest::default().with_topics(creatable.collect()).with_timeout_ms(millis(brokers));
    let response = brokers.any().await?.call(&request, brokers.servers().request_timeout).await?;
    let answers = response.topics.into_iter().map(|topic| {
        let message = topic.error_message.as_ref().map(ToString::to_string);
        (topic.name.0.to_string(), result(topic.error_code, &topic.name.0, message.as_deref()))
    });
    Ok(in_order(topics.iter().map(|topic| &topic.topic), answers.collect()))
}

pub(super) async fn delete(brokers: &Brokers, topics: &[Topic]) -> Result<Vec<Result<(), ClientError>>, ClientError> {
    let names: Vec<TopicName> = topics.iter().map(|topic| TopicName(text(topic.as_str()))).collect();
    let states = names.iter().map(|name| DeleteTopicState::default().with_name(Some(name.clone()))).collect();
    // Newer versions take `topics`, older ones `topic_names`.
    let request = DeleteTopicsRequest::default().with_topics(states).with_timeout_ms(millis(brokers));
    let response = brokers.any().await?.call(&request, brokers.servers().request_timeout).await?;
    let answers = response.responses.into_iter().filter_map(|topic| {
        let name = topic.name?.0.to_string();
        let outcome = result(topic.error_code, &name, None);
        Some((name, outcome))
    });
    Ok(in_order(topics.iter(), answers.collect()))
}

fn in_order<'a>(
    topics: impl Iterator<Item = &'a Topic>,
    mut answers: HashMap<String, Result<(), ClientError>>,
) -> Vec<Result<(), ClientError>> {
    let answer = |topic: &Topic| {
        answers.remove(topic.as_str()).unwrap_or_else(|| Err(ClientError::UnknownTopic { topic: topic.clone() }))
    };
    topics.map(answer).collect()
}
