//! A global table on a real broker: filled, followed, kept over a restart, and filled anew when its topic is another.
#![allow(missing_docs, reason = "a test of a real application on a real broker")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::prelude::*;
use headwater::record::{Topic, TopicPartition};
use headwater::runtime::CloseOptions;
use headwater::runtime::changelog::RestoreListener;
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::wait_for;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many records were read before the first task.
#[derive(Clone, Debug, Default)]
struct Restored(Arc<Mutex<u64>>);

impl RestoreListener for Restored {
    fn on_end(&self, _changelog: &TopicPartition, _store: &str, total: u64) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += total;
    }
}

impl Restored {
    fn take(&self) -> u64 {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

struct Shops {
    broker: Broker,
    id: String,
    restored: Restored,
}

impl Shops {
    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    fn start(&self, state: &Path) -> Result<KafkaStreams> {
        let builder = StreamsBuilder::new();
        let shops = builder.global_table::<String, String>(&self.topic("shops"));
        let sales = builder.stream::<String, String>(self.topic("sales"));
        let city = |_: &String, sale: &String, city: Option<&String>| {
            format!("{sale} in {}", city.map_or("?", String::as_str))
        };
        sales.left_join_global(&shops, |shop, _| shop.clone(), city).to(&self.topic("sold"));
        Ok(KafkaStreams::builder(builder.build()?)
            .application_id(&self.id)
            .bootstrap_servers(&self.broker.bootstrap)
            .state_dir(state)
            .set("commit.interval.ms", "200")
            .threads(2)
            .restore_listener(self.restored.clone())
            .start()?)
    }

    fn put(&self, topic: &str, key: &str, value: &str) -> Result<()> {
        self.broker.produce(&self.topic(topic), [(Some(key.as_bytes()), value.as_bytes())])
    }

    /// Sells in a shop until its city is `city`.
    fn wait_for_city(&self, application: &KafkaStreams, shop: &str, city: &str) -> Result<()> {
        wait_for(&format!("{shop} is in {city}"), PATIENCE, || {
            ensure!(!application.state().is_final(), "it has ended: {:?}", application.close(CloseOptions::default()));
            self.put("sales", shop, "pen")?;
            let sold = self.broker.read(&self.topic("sold"))?.into_iter().rev();
            let last = sold.into_iter().find(|(key, _)| key.as_deref() == Some(shop.as_bytes()));
            let expected = format!("pen in {city}").into_bytes();
            Ok(last.is_some_and(|(_, value)| value == Some(expected)).then_some(()))
        })
    }
}

#[test]
fn a_global_table_is_filled_followed_kept_and_filled_anew() -> Result<()> {
    let Some(broker) = Broker::of_this_run("a_global_table_is_filled_followed_kept_and_filled_anew") else {
        return Ok(());
    };
    let id = format!("shops-{}", std::process::id());
    let shops = Shops { broker, id, restored: Restored::default() };
    for (topic, partitions) in [("shops", 3), ("sales", 4), ("sold", 1)] {
        shops.broker.make_topic(&shops.topic(topic), partitions)?;
    }
    let names: Vec<String> = (0..1_000).map(|number| format!("shop{number}")).collect();
    shops.broker.produce(&shops.topic("shops"), names.iter().map(|name| (Some(name.as_bytes()), &b"Rome"[..])))?;
    let state = tempfile::tempdir()?;

    let application = shops.start(state.path())?;
    shops.wait_for_city(&application, "shop7", "Rome")?;
    ensure!(shops.restored.take() == 1_000, "all partitions are read before the first task");
    shops.put("shops", "shop7", "Oslo")?;
    shops.wait_for_city(&application, "shop7", "Oslo")?;
    application.close(CloseOptions::default().timeout(PATIENCE))?;
    drop(application);

    shops.put("shops", "shop8", "Bonn")?;
    let application = shops.start(state.path())?;
    shops.wait_for_city(&application, "shop8", "Bonn")?;
    ensure!(shops.restored.take() == 1, "only what came since");
    shops.wait_for_city(&application, "shop9", "Rome")?;

    // Made anew under the running application.
    let topic = Topic::from(shops.topic("shops"));
    for deleted in shops.broker.admin()?.delete_topics(&[topic], shops.broker.soon())? {
        deleted?;
    }
    wait_for("the topic is gone", PATIENCE, || {
        Ok(shops.broker.partitions(&shops.topic("shops"))?.is_empty().then_some(()))
    })?;
    shops.broker.make_topic(&shops.topic("shops"), 3)?;
    shops.put("shops", "shop8", "Lima")?;
    shops.wait_for_city(&application, "shop8", "Lima")?;
    shops.wait_for_city(&application, "shop9", "?")?;
    application.close(CloseOptions::default().timeout(PATIENCE))?;
    Ok(())
}
