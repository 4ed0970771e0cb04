//! Where the example runs, and what it does there beside the word count itself: making topics, writing lines, reading counts.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use headwater::client::{ClientConfig, ClientError, ClientSupplier, NewTopic, RecordBatch, StartAt};
use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::record::{Deadline, Headers, Timestamp, Topic, TopicPartition};
use headwater::runtime::SystemClock;

/// A cluster: one in this process, or a real one.
#[derive(Debug)]
pub(crate) enum Place {
    InProcess(Cluster),
    #[cfg(feature = "kafka")]
    Real {
        bootstrap: String,
        clients: headwater::kafka::KafkaClients,
    },
}

impl Place {
    pub(crate) fn of(bootstrap: Option<&str>) -> Result<Self, String> {
        match bootstrap {
            None => Ok(Place::in_process()),
            #[cfg(feature = "kafka")]
            Some(bootstrap) if bootstrap.contains(':') => {
                let clients = headwater::kafka::KafkaClients::new();
                Ok(Place::Real { bootstrap: bootstrap.to_owned(), clients })
            }
            #[cfg(feature = "kafka")]
            Some(bootstrap) => Err(format!("--bootstrap {bootstrap}: it is HOST:PORT, such as localhost:9092")),
            #[cfg(not(feature = "kafka"))]
            Some(_) => Err("this build cannot reach a real cluster: leave out --no-default-features".to_owned()),
        }
    }

    fn in_process() -> Self {
        let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
        Place::InProcess(Cluster::with(Arc::new(SystemClock), config))
    }

    fn clients(&self) -> &dyn ClientSupplier {
        match self {
            Place::InProcess(cluster) => cluster,
            #[cfg(feature = "kafka")]
            Place::Real { clients, .. } => clients,
        }
    }

    fn config(&self) -> ClientConfig {
        match self {
            Place::InProcess(_) => ClientConfig::new(),
            #[cfg(feature = "kafka")]
            Place::Real { bootstrap, .. } => ClientConfig::new().with("bootstrap.servers", bootstrap),
        }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clients().clock().now(), Duration::from_secs(30))
    }

    /// Makes the topics that are not there yet.
    pub(crate) fn make_topics(&self, names: &[&str], partitions: i32) -> Result<(), ClientError> {
        let topics: Vec<NewTopic> = names
            .iter()
            .map(|name| NewTopic {
                topic: Topic::from(*name),
                partitions,
                replication_factor: 1,
                configs: BTreeMap::new(),
            })
            .collect();
        let made = self.clients().admin(&self.config())?.create_topics(&topics, self.soon())?;
        made.into_iter().try_for_each(|made| match made {
            Err(ClientError::TopicExists { .. }) => Ok(()),
            other => other,
        })
    }
}

/// Writes every line of `text` as a value without key. Returns how many.
pub(crate) fn feed(cluster: &Cluster, topic: &str, text: &str) -> Result<usize, ClientError> {
    let topic = Topic::from(topic);
    for line in text.lines() {
        cluster.produce(&topic, None, Some(line.as_bytes()), Timestamp::UNKNOWN, &Headers::new())?;
    }
    Ok(text.lines().count())
}

/// Reads counts as they change, shows them, and returns the last ones when they add up to `total`.
pub(crate) fn watch_counts(
    cluster: &Cluster,
    topic: &str,
    total: i64,
) -> Result<BTreeMap<String, i64>, Box<dyn Error>> {
    let topic = Topic::from(topic);
    let partitions = cluster.topic(&topic).map_or(0, |topic| topic.partitions.len() as i32);
    let all: Vec<_> = (0..partitions)
        .map(|partition| (TopicPartition { topic: topic.clone(), partition }, StartAt::Beginning))
        .collect();
    let mut consumer = cluster.consumer(&ClientConfig::new())?;
    consumer.assign(&all)?;
    let mut counts = BTreeMap::new();
    let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
    let until = Deadline::after(cluster.clock().now(), Duration::from_mins(1));
    while counts.values().sum::<i64>() < total {
        if until.passed(cluster.clock().now()) {
            return Err(
                format!("only {} of {total} words were counted in a minute", counts.values().sum::<i64>()).into()
            );
        }
        consumer.poll(until, &mut batches)?;
        for batch in &mut batches {
            while let Some(record) = batch.head() {
                let word = String::from_utf8(record.key.unwrap_or_default().to_vec())?;
                let count = i64::from_be_bytes(record.value.unwrap_or_default().try_into()?);
                println!("{word:>16} {count}");
                counts.insert(word, count);
                batch.advance()?;
            }
        }
        batches.clear();
    }
    Ok(counts)
}

/// Shows the ten words that occur most often.
pub(crate) fn show_top_ten(counts: &BTreeMap<String, i64>) {
    let mut ranking: Vec<_> = counts.iter().collect();
    ranking.sort_by_key(|(word, count)| (-**count, *word));
    println!("\nThe top ten:");
    for (rank, (word, count)) in ranking.iter().take(10).enumerate() {
        println!("{:>4}. {word:<12} {count}", rank + 1);
    }
}
