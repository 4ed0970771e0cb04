//! A board of the ten songs that are played most: counted in four partitions, gathered under one key, asked over the network.
//!
//! `cargo run -p headwater-query --example top_ten`
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]

use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::query::{Client, QueryServer};
use headwater::record::{Headers, Topic};
use headwater::runtime::SystemClock;

const SONGS: i64 = 30;

/// Songs with how often they were played, most first.
type Board = Vec<(i64, String)>;

/// Plays only grow in number: a song that falls off the board comes back with its next play, or never.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let plays = builder.stream::<String, i64>("plays").group_by_key().count();
    let all = plays.group_by(|song, count| ("all".to_owned(), (*count, song.clone())));
    let add = |_: &String, played: &(i64, String), mut board: Board| {
        board.push(played.clone());
        board.sort_by(|one, other| other.cmp(one));
        board.truncate(10);
        board
    };
    let subtract = |_: &String, played: &(i64, String), mut board: Board| {
        board.retain(|other| other != played);
        board
    };
    all.aggregate_with(Board::new, add, subtract, Materialized::named("board"));
    builder.build()
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    cluster.create_topic("plays", 4)?;
    let host = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
    let streams = KafkaStreams::builder(topology()?)
        .application_id("top-ten")
        .set("application.server", &host)
        .set("dsl.store.suppliers.class", "in_memory")
        .set("commit.interval.ms", "50")
        .on(&cluster)
        .start()?;
    let board = StoreHandle::<String, Board>::named("board");
    let serving = QueryServer::builder(&streams).key_value(&board).build()?.serve().await?;
    println!("the page: http://{host}/");

    // Song `n` is played `n` times, all of them in turn.
    for round in 1..=SONGS {
        for song in round..=SONGS {
            let (topic, key) = (Topic::from("plays"), format!("song {song:02}"));
            let (key, value) = (Some(key.as_bytes()), Some(round.to_be_bytes()));
            let value = value.as_ref().map(<[u8; 8]>::as_slice);
            cluster.produce(&topic, key, value, Timestamp::from_millis(round), &Headers::new())?;
        }
    }

    let best: Board = (0..10).map(|place| (SONGS - place, format!("song {:02}", SONGS - place))).collect();
    let client = Client::builder().seed(&host)?.build()?;
    let boards = client.key_value::<String, Board>("board");
    let shown = async {
        loop {
            match boards.get(&"all".to_owned()).await? {
                Some(board) if board == best => return Ok::<_, headwater::Error>(board),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    for (place, (plays, song)) in tokio::time::timeout(Duration::from_mins(1), shown).await??.into_iter().enumerate() {
        println!("{:>2}. {song}, played {plays} times", place + 1);
    }
    tokio::task::spawn_blocking(move || streams.close(CloseOptions::default())).await??;
    serving.stop().await;
    Ok(())
}

/// Plays songs until the board shows the ten best.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}
