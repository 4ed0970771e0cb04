package conformance;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Random;

/** The options of statements. */
class DrawOptions extends Draw {
    /** The end of a window that never closes. */
    private static final String FOREVER = "9223372036854775807";

    DrawOptions(final Random random) {
        super(random);
    }

    /** The serdes of an option; those of text now and then left to the settings. */
    final ObjectNode serdes(final String key, final String value) {
        final ObjectNode n = object();
        if (!(textByDefault && key.equals("string") && chance(40))) {
            n.put("key", key);
        }
        if (!(textByDefault && value.equals("string") && chance(40))) {
            n.put("value", value);
        }
        return n;
    }

    final ObjectNode serdes(final String key, final String value, final int namedPercent) {
        final ObjectNode n = serdes(key, value);
        if (chance(namedPercent)) {
            n.put("name", name());
        }
        return n;
    }

    private boolean names(final ObjectNode serdes, final String field) {
        return serdes.has(field);
    }

    /** How a source reads its topic. */
    final void consumed(final ObjectNode op, final Node node) {
        final ObjectNode n = serdes("string", node.value, 15);
        if (rarely(15)) {
            n.put("offset_reset", any("earliest", "earliest", "latest", "none"));
        }
        if (rarely(20)) {
            // A table's deletions have the time of their record, whatever an extractor of the program's own says.
            n.put("timestamp_extractor", node.kind == 'S' ? extractor(node.value) : any("use_partition_time", "log_and_skip", "fail_on_invalid"));
        }
        op.set("consumed", n);
        node.serde = names(n, "value");
        node.keySerde = names(n, "key");
    }

    final String extractor(final String value) {
        return value.equals("string")
            ? any("plus:5", "fixed:20", "use_partition_time", "log_and_skip", "value_after:|", "value_after_or_partition_time:|", "fail_on_invalid", waits ? "fail_on_invalid" : "fail_if:a|1")
            : any("plus:5", "use_partition_time", "log_and_skip");
    }

    final ObjectNode produced(final Node n) {
        final ObjectNode p = serdes(n.key, n.value, 15);
        if (rarely(20)) {
            p.put("partitioner", partitioner());
        }
        return p;
    }

    final String partitioner() {
        return any("const:0", "null", "k > hash_mod:1", "v > null_if_contains:2 > hash_mod:1", "k > null_if:b > hash_mod:1 > or:none");
    }

    final ObjectNode repartitioned(final Node n) {
        final ObjectNode r = serdes(n.key, n.value, 60);
        if (rarely(25)) {
            r.put("partitions", 1 + random.nextInt(3));
        }
        if (rarely(25)) {
            r.put("partitioner", any("const:0", "null", "k > hash_mod:1"));
        }
        return r;
    }

    /** Whether, and how, a store is logged. */
    final void logging(final ObjectNode n, final int percent) {
        if (!chance(percent)) {
            return;
        }
        if (chance(50)) {
            n.put("logging", false);
        } else {
            n.putObject("logging").put(any("retention.ms", "segment.bytes", "cleanup.policy"), "delete");
            final ObjectNode settings = (ObjectNode) n.get("logging");
            if (!settings.has("cleanup.policy")) {
                settings.put(settings.fieldNames().next(), "1000000");
            }
        }
    }

    private void caching(final ObjectNode m) {
        if (chance(15)) {
            m.put("caching", chance(50));
        }
    }

    final ObjectNode materialized(final String key, final String value, final int namedPercent) {
        final ObjectNode m = object();
        if (namedPercent < 100 && chance(8)) {
            if (rarely(30)) {
                // Java's cache shows rows that the store below it has let go.
                m.set("supplier", object().put("kind", "lru").put("name", name()).put("max_entries", 1 + random.nextInt(4)));
                m.put("caching", false);
            } else {
                m.set("supplier", keyValueSupplier());
            }
        } else if (chance(namedPercent)) {
            m.put("store", name());
        }
        m.setAll(serdes(key, value));
        if (!m.has("caching")) {
            caching(m);
        }
        if (!m.has("supplier") && chance(20)) {
            m.put("store_type", any("in_memory", "in_memory", "rocks_db"));
        }
        logging(m, 15);
        return m;
    }

    private ObjectNode keyValueSupplier() {
        // On disk the library's tables always keep timestamps.
        final boolean disk = chance(50);
        return object().put("kind", disk ? "timestamped_kv" : any("kv", "timestamped_kv")).put("name", name()).put("persistent", disk);
    }

    final ObjectNode versioned(final String value) {
        final ObjectNode m = serdes("string", value);
        final ObjectNode supplier = object().put("kind", "versioned").put("name", name()).put("persistent", true)
            .put("history_retention_ms", 20L * (1 + random.nextInt(5)));
        if (chance(40)) {
            supplier.put("segment_interval_ms", 3 + random.nextInt(20));
        }
        m.set("supplier", supplier);
        logging(m, 15);
        return m;
    }

    /** Keeps a table in a store of its own, a versioned one now and then. */
    final void kept(final ObjectNode op, final Node table, final int namedPercent) {
        table.versioned = chance(12);
        table.ownVersioned = table.versioned;
        final ObjectNode m = table.versioned ? versioned(table.value) : materialized("string", table.value, namedPercent);
        table.serde = names(m, "value");
        op.set("materialized", m);
    }

    /** Windows, and through {@code key} the serde of their keys. */
    final ObjectNode window(final String[] key) {
        final int grace = random.nextInt(3) * 8;
        final ObjectNode w = object();
        switch (random.nextInt(9)) {
            case 0:
                w.put("type", "unlimited");
                if (chance(70)) {
                    w.put("start_ms", random.nextInt(20));
                }
                key[0] = "time_windowed:" + FOREVER + ":string";
                return w;
            case 1:
            case 2:
                w.put("type", "tumbling").put("size_ms", 10);
                key[0] = "time_windowed:10:string";
                break;
            case 3:
            case 4:
                w.put("type", "hopping").put("size_ms", 12).put("advance_ms", 5);
                key[0] = "time_windowed:12:string";
                break;
            case 5:
            case 6:
                w.put("type", "sliding").put("diff_ms", 7);
                key[0] = "time_windowed:7:string";
                break;
            default:
                w.put("type", "session").put("gap_ms", 6);
                key[0] = "session_windowed:string";
        }
        if (grace > 0 || chance(30)) {
            w.put("grace_ms", grace);
        }
        return w;
    }

    static boolean closes(final String key) {
        return !key.contains(FOREVER);
    }

    /** How a windowed table of such keys is kept. */
    final ObjectNode windowStore(final String key, final String value) {
        final boolean session = key.startsWith("session");
        final ObjectNode m = object();
        if (rarely(25) && closes(key)) {
            final boolean disk = chance(50);
            final ObjectNode supplier = object().put("kind", session ? "session" : disk ? "timestamped_window" : any("window", "timestamped_window"))
                .put("name", name()).put("persistent", disk).put("retention_ms", 40 + random.nextInt(40));
            if (!session) {
                supplier.put("window_size_ms", Long.parseLong(key.split(":")[1]));
            }
            m.set("supplier", supplier);
        } else {
            if (chance(50)) {
                m.put("store", name());
            }
            if (chance(20)) {
                m.put("store_type", any("in_memory", "in_memory", "rocks_db"));
            }
            if (rarely(25) && closes(key)) {
                m.put("retention_ms", 30 + random.nextInt(60));
            }
        }
        m.setAll(serdes("string", value));
        caching(m);
        logging(m, 15);
        return m;
    }

    /** Windows of a join of streams. */
    final ObjectNode joinWindows() {
        final ObjectNode w = object().put("diff_ms", 2 + random.nextInt(3) * 4);
        if (chance(25)) {
            w.put("before_ms", random.nextInt(10));
            if (chance(70)) {
                w.put("after_ms", random.nextInt(10));
            }
        }
        if (chance(85)) {
            w.put("grace_ms", random.nextInt(3) * 4);
        }
        return w;
    }

    final ObjectNode streamJoined(final Node n, final Node m, final ObjectNode windows) {
        final ObjectNode j = serdes("string", n.value, 40).put("other_value", m.value);
        if (chance(30)) {
            j.put("store_name", name());
        }
        if (chance(15)) {
            j.put("store_type", any("in_memory", "in_memory", "rocks_db"));
        }
        if (rarely(35)) {
            j.set("this_store", joinSupplier(windows));
        }
        if (rarely(35)) {
            j.set("other_store", joinSupplier(windows));
        }
        logging(j, 15);
        return j;
    }

    /** Java keeps neither times nor headers in a store on disk that is supplied, which nothing but a look at the store shows. */
    private ObjectNode joinSupplier(final ObjectNode windows) {
        final long diff = windows.get("diff_ms").asLong();
        final long size = windows.path("before_ms").asLong(diff) + windows.path("after_ms").asLong(diff);
        return object().put("kind", "window").put("name", name()).put("persistent", !headers && chance(50))
            .put("retention_ms", size + windows.path("grace_ms").asLong(0)).put("window_size_ms", size).put("retain_duplicates", true);
    }

    final ObjectNode tableJoined() {
        final ObjectNode j = object();
        if (chance(80)) {
            j.put("name", name());
        }
        if (rarely(40)) {
            j.put("partitioner", any("const:0", "null", "k > hash_mod:1"));
        }
        if (rarely(40)) {
            j.put("other_partitioner", any("const:0", "null", "k > hash_mod:1"));
        }
        return j;
    }

    /** The buffer of a suppression until a time limit. */
    final ObjectNode suppressed() {
        final ObjectNode s = object().put("until", "time_limit").put("limit_ms", random.nextInt(20));
        if (chance(50)) {
            s.put("unbounded", true);
        } else if (rarely(50)) {
            s.put("max_records", 2 + random.nextInt(6)).put("when_full", "shut_down");
        } else {
            final boolean both = chance(15);
            final boolean records = chance(60);
            if (records || both) {
                s.put("max_records", 1 + random.nextInt(3));
            }
            if (!records || both) {
                s.put("max_bytes", 60 + random.nextInt(200));
            }
            s.put("when_full", "emit");
        }
        return described(s);
    }

    /** The buffer of a suppression until windows close. */
    final ObjectNode untilWindowCloses() {
        final ObjectNode s = object().put("until", "window_closes");
        if (rarely(40)) {
            s.put(any("max_records", "max_bytes"), 4 + random.nextInt(400));
        } else {
            s.put("unbounded", true);
        }
        return described(s);
    }

    private ObjectNode described(final ObjectNode s) {
        if (chance(40)) {
            s.put("name", name());
        }
        logging(s, 15);
        return s;
    }
}
