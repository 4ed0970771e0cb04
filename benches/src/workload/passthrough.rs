//! Bytes through.

use headwater::prelude::*;

pub(super) fn passthrough(builder: &StreamsBuilder, input: &str, output: &str) {
    builder.stream::<Vec<u8>, Vec<u8>>(input).to(output);
}
