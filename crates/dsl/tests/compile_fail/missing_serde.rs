//! A type without a default serde cannot be written by the plain form.

use headwater_dsl::StreamsBuilder;

struct Foreign;

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").map_values(|_, _| Foreign).to("out");
}
