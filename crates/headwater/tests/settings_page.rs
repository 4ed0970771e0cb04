//! `docs/settings.md` is what the table of settings says. `HEADWATER_WRITE_PAGES=1 cargo test -p headwater --test settings_page` writes it
//! anew.
#![cfg(test)]

use std::fmt::Write as _;
use std::path::Path;

use headwater::runtime::config::options::{self, Setting, Support};

const HEAD: &str = "\
# Settings

Those of Kafka Streams 4.4, under Java's names: `KafkaStreams::builder(topology).set(\"commit.interval.ms\", \"1000\")`, or `set_all` with what a
properties file has. A value that cannot be is refused by `start`, as is one that is not supported; a setting without effect, and a name that
nobody knows, is told of in the log. The table is made from that of the code (`cargo test -p headwater --test settings_page`).

Settings of Kafka's clients go to the clients, as in Java: `linger.ms`, or `producer.linger.ms`, `main.consumer.fetch.min.bytes`,
`admin.retry.backoff.ms`. Those of internal topics begin with `topic.`. What a client does not follow it says in the log.

Settings that shape a topology (`topology.optimization`, `ensure.explicit.internal.resource.naming`, `dsl.store.format`) belong to
`StreamsBuilder::build_with`.
";

fn row(page: &mut String, setting: &Setting, meaning: &str) {
    let kind = setting.kind.to_string();
    let default = setting.default.filter(|default| !default.is_empty()).map(|default| format!("`{default}`"));
    let cells = [format!("`{}`", setting.key), kind, default.unwrap_or_default(), meaning.to_owned()];
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('<', "\\<"));
    writeln!(page, "| {} |", cells.join(" | ")).expect("a String takes all");
}

/// A table of the settings that `meaning` has something to say of.
fn table(page: &mut String, title: &str, meaning: impl Fn(&Setting) -> Option<String>) {
    let mut settings: Vec<_> = options::all().filter_map(|setting| Some((setting, meaning(setting)?))).collect();
    settings.sort_by_key(|(setting, _)| setting.key);
    writeln!(page, "\n## {title}\n\n| setting | value | default | |\n|---|---|---|---|").expect("a String takes all");
    for (setting, meaning) in settings {
        row(page, setting, &meaning);
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "With an effect", |setting| match setting.support {
        Support::Effective(_) => Some(setting.doc.to_owned()),
        _ => None,
    });
    table(&mut page, "Only with its default", |setting| match setting.support {
        Support::OnlyDefault(reason) => Some(format!("{} Not yet otherwise: {reason}.", setting.doc)),
        _ => None,
    });
    table(&mut page, "Without effect", |setting| match setting.support {
        Support::NoEffect(reason) => Some(format!("{} Without effect: {reason}.", setting.doc)),
        _ => None,
    });
    page
}

#[test]
fn the_page_of_settings_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("HEADWATER_WRITE_PAGES").is_some() {
        std::fs::write(&path, page()).expect("the page is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/settings.md is out of date: run HEADWATER_WRITE_PAGES=1 cargo test -p headwater --test settings_page"
    );
}
