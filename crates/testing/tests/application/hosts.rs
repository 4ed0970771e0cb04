//! Where state is: every instance knows which one has which stores and keys.

use std::collections::BTreeSet;

use headwater_record::TopicPartition;
use headwater_runtime::application::KeyQueryMetadata;
use headwater_runtime::assignment::HostPort;
use headwater_runtime::{Driven, ErrorKind};
use headwater_topology::state::StoreHandle;

use crate::world::World;

fn counts() -> StoreHandle<String, i64> {
    StoreHandle::named("counts")
}

fn instance(world: &World, id: u128, standbys: &str) -> Driven {
    let builder = world.builder(id).set("application.server", format!("host-{id}:{}", 7000 + id));
    builder.set("num.standby.replicas", standbys).drive().unwrap()
}

fn host(id: i32) -> HostPort {
    HostPort::new(format!("host-{id}"), 7000 + id)
}

/// Who has each word, by the word of `asked`.
fn places(world: &World, asked: &Driven) -> Vec<KeyQueryMetadata> {
    world.expected.keys().map(|word| asked.metadata().for_key(&counts(), word).unwrap()).collect()
}

#[test]
fn all_instances_know_who_has_which_key() {
    let mut world = World::new();
    let mut instances = vec![instance(&world, 1, "1"), instance(&world, 2, "1")];
    world.feed(50);
    world.settle(&mut instances);
    let known = places(&world, &instances[0]);
    assert_eq!(known, places(&world, &instances[1]));
    let active: BTreeSet<_> = known.iter().map(|place| place.active.clone().unwrap()).collect();
    assert_eq!(active, [host(1), host(2)].into());
    for (word, place) in world.expected.keys().zip(&known) {
        // Keys lie where their records do.
        let records = world.cluster.records(&"word-count-words-repartition".into());
        let (partition, _) = records.iter().find(|(_, record)| record.key.as_deref() == Some(word.as_bytes())).unwrap();
        assert_eq!(place.partition, Some(*partition));
        let has = |partitions: &BTreeSet<TopicPartition>| {
            partitions.contains(&TopicPartition::new("word-count-words-repartition", *partition))
        };
        let all = instances[1].metadata().all_clients();
        let owner = all.iter().find(|client| has(&client.partitions)).unwrap();
        assert_eq!(place.active.as_ref(), Some(&owner.host));
        let standbys: BTreeSet<_> =
            all.iter().filter(|client| has(&client.standby_partitions)).map(|client| client.host.clone()).collect();
        assert_eq!(place.standbys, standbys);
        assert_eq!(standbys.len(), 1);
    }
}

#[test]
fn after_a_rebalance_the_new_owner_is_known() {
    let mut world = World::new();
    let mut instances = vec![instance(&world, 1, "0")];
    world.feed(50);
    world.settle(&mut instances);
    assert!(places(&world, &instances[0]).iter().all(|place| place.active == Some(host(1))));
    instances.push(instance(&world, 2, "0"));
    world.feed(50);
    world.settle(&mut instances);
    world.run(&mut instances, 100);
    let of_store = instances[0].metadata().for_store("counts");
    assert_eq!(of_store.iter().map(|client| client.host.clone()).collect::<Vec<_>>(), [host(1), host(2)]);
    assert!(places(&world, &instances[0]).iter().any(|place| place.active == Some(host(2))));
}

#[test]
fn what_cannot_be_known_is_said() {
    let mut world = World::new();
    let mut instances = vec![instance(&world, 1, "0")];
    let early = instances[0].metadata().for_key(&counts(), &"w1".to_owned()).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Unavailable);
    assert!(instances[0].metadata().all_clients().is_empty());
    world.feed(10);
    world.settle(&mut instances);
    let metadata = instances[0].metadata();
    let other = metadata.for_key(&StoreHandle::<String, i64>::named("other"), &"w1".to_owned()).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Config);
    assert!(metadata.for_store("other").is_empty());
    assert_eq!(metadata.for_key_by(&counts(), |partitions| partitions - 1).unwrap().partition, Some(3));
    let outside = metadata.for_key_by(&counts(), |partitions| partitions).unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::User);

    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(10);
    world.settle(&mut instances);
    let nobody = instances[0].metadata().for_key(&counts(), &"w1".to_owned()).unwrap_err();
    assert!(nobody.to_string().contains("application.server"), "{nobody}");
}
