package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;

/** Processors and the stores that they use. */
class DrawProcessors extends DrawOptions {
    /** A processor with what it needs, and what it makes of values. */
    static final class Processor {
        final ObjectNode processor;
        /** Its store, null when it has none. */
        final ObjectNode store;
        /** Type of the values that it forwards, null when it forwards nothing. */
        final String value;
        /** It leaves keys as they are, in every record that it forwards. */
        final boolean fixedKey;

        Processor(final ObjectNode processor, final ObjectNode store, final String value, final boolean fixedKey) {
            this.processor = processor;
            this.store = store;
            this.value = value;
            this.fixedKey = fixedKey;
            if (store != null) {
                processor.put("store", store.get("name").asText());
            }
        }
    }

    DrawProcessors(final Random random) {
        super(random);
    }

    private static ObjectNode of(final String type) {
        return object().put("type", type);
    }

    /** A store of a kind, with its serdes. */
    final ObjectNode store(final String kind, final String value) {
        final ObjectNode s = object().put("kind", kind).put("name", name());
        if (!kind.equals("lru")) {
            s.put("persistent", chance(50));
        }
        if (kind.contains("window") || kind.equals("session")) {
            s.put("retention_ms", 30 + random.nextInt(60));
        }
        if (kind.contains("window")) {
            s.put("window_size_ms", 10);
        }
        if (kind.equals("versioned")) {
            s.put("history_retention_ms", 20L * (1 + random.nextInt(5)));
        }
        if (kind.equals("lru")) {
            s.put("max_entries", 2 + random.nextInt(3));
        }
        s.put("key", "string").put("value", value);
        if (chance(30) && !kind.equals("versioned") && !kind.equals("lru")) {
            s.put("caching", true);
        }
        logging(s, 15);
        return s;
    }

    private ObjectNode schedule(final ObjectNode p) {
        p.put("interval_ms", 5 + random.nextInt(20)).put("clock", any("stream", "wall"));
        if (chance(25)) {
            p.put("start_ms", random.nextInt(30));
        }
        wallClock |= p.get("clock").asText().equals("wall");
        return p;
    }

    /** A processor with a store, or one that looks at its context. */
    final Processor stateful(final String value) {
        switch (random.nextInt(rare ? 9 : 5)) {
            case 0: return new Processor(of("dedup"), store("kv", value), value, true);
            case 1: return new Processor(of("counter"), store("kv", "long"), "long", true);
            case 2: {
                final ObjectNode p = schedule(of("count_and_punctuate"));
                if (chance(30)) {
                    p.put("clear", true);
                }
                return new Processor(p, store("kv", "long"), "long", false);
            }
            case 3: return new Processor(of("times"), null, "string", true);
            case 4: return new Processor(of("timestamped_writer"), store("timestamped_kv", value), "string", true);
            case 5: return new Processor(schedule(of("ttl")).put("ttl_ms", 5 + random.nextInt(20)), store("kv", "long"), value, false);
            case 6: {
                final ObjectNode p = schedule(of("tick"));
                if (chance(50)) {
                    p.put("label", "t");
                }
                if (chance(40)) {
                    p.put("metadata", true);
                }
                if (chance(40)) {
                    p.put("cancel_after", 1 + random.nextInt(3));
                }
                return value.equals("string") ? new Processor(p, null, "string", false) : stateful(value);
            }
            case 7: return new Processor(of("store_writer"), store("kv", value), null, true);
            default: return new Processor(of("counter"), store("lru", "long"), "long", true);
        }
    }

    /** A processor without a store. */
    final Processor stateless(final String value) {
        switch (random.nextInt(rare ? 8 : 6)) {
            case 0: {
                final ObjectNode p = of("header").put("action", any("add", "set", "remove")).put("name", "h").put("value", "w");
                if (chance(30) && !cached) {
                    p.put("in_place", true);
                }
                return new Processor(p, null, value, true);
            }
            case 1: return new Processor(of("metadata"), null, "string", true);
            case 2: {
                final ObjectNode p = of("map").put("value", any("header:h > or:none", "kv:- > append:!", "ts > to_string"));
                if (chance(70)) {
                    p.put("ts_plus", random.nextInt(9));
                }
                return new Processor(p, null, "string", true);
            }
            case 3: return new Processor(of("emit").put("n", any("0", "1", "2", "2").charAt(0) - '0'), null, "string", true);
            case 4: return new Processor(of("forward"), null, value, true);
            case 5: return new Processor(of("map").put("key", "kv:. > first_char"), null, value, false);
            case 6: return new Processor(of("fail_if").put("value", any("a|2", "3")), null, value, true);
            default: return new Processor(of("drop"), null, value, true);
        }
    }

    /** Calls a processor on a stream, and hands on what it forwards. */
    final Node processed(final Node n, final Processor p) {
        final boolean values = p.fixedKey && chance(50);
        final ObjectNode o;
        if (p.store == null) {
            o = op(values ? "process_values" : "process", n);
        } else if (chance(35)) {
            p.processor.putArray("connected_stores").add(p.store);
            o = op(values ? "process_values" : "process", n);
        } else {
            dsl.addObject().put("op", "add_state_store").set("store", p.store);
            o = op(values ? "process_values" : "process", n);
            o.putArray("stores").add(p.store.get("name").asText());
        }
        o.set("processor", p.processor);
        maybeNamed(o);
        final Node made = revalued(o, n, p.value == null ? n.value : p.value);
        made.keySerde = n.keySerde && values;
        made.used = p.value == null;
        return made;
    }

    /** Writes a stream into a store, which another stream reads. */
    final boolean writtenAndRead(final Node n) {
        final Node m = other(n, 'S', n.value);
        if (m == null || m == n) {
            return false;
        }
        final ObjectNode store = store("kv", n.value);
        dsl.addObject().put("op", "add_state_store").set("store", store);
        end("process", n).set("processor", of("store_writer").put("store", store.get("name").asText()));
        ((ObjectNode) dsl.get(dsl.size() - 1)).putArray("stores").add(store.get("name").asText());
        final ObjectNode o = op("process_values", m);
        o.set("processor", of("store_reader").put("store", store.get("name").asText()));
        o.putArray("stores").add(store.get("name").asText());
        revalued(o, m, "string");
        return true;
    }

    /** Two operators by name below a processor that chooses between them. */
    final boolean routed(final Node n) {
        final String yes = name();
        final String no = name();
        final ObjectNode o = op("process", n);
        o.set("processor", of("route").put("predicate", predicate(n.value)).put("yes", yes).put("no", no));
        final Node routed = revalued(o, n, n.value);
        routed.keySerde = false;
        for (final String child : new String[] {yes, no}) {
            revalued(op("peek", routed).put("named", child), routed, n.value);
        }
        return true;
    }

    /** A global store, which a stream reads. */
    final boolean global(final Node n) {
        final boolean timestamped = chance(40);
        final ObjectNode store = store(timestamped ? "timestamped_kv" : "kv", "string");
        final String topic = "gs" + topics.size();
        final ObjectNode o = object().put("op", "add_global_store").put("topic", topic);
        o.set("store", store);
        o.set("consumed", serdes("string", "string"));
        o.set("processor", of(timestamped ? "timestamped_writer" : "store_writer").put("store", store.get("name").asText()));
        dsl.add(o);
        topics.add(new String[] {topic, "string"});
        final ObjectNode read = op(any("process", "process_values"), n);
        read.set("processor", of("store_reader").put("store", store.get("name").asText()));
        maybeNamed(read);
        revalued(read, n, "string").keySerde = false;
        return true;
    }

    /** A transformer of a table's values with a context, and perhaps a store. */
    final boolean transformer(final Node n) {
        Processor p = chance(60) ? stateful(n.value) : stateless(n.value);
        final JsonNode type = p.processor.get("type");
        if (p.processor.has("key") || type.asText().equals("route") || p.value == null) {
            p = new Processor(of("times"), null, "string", true);
        }
        if (p.store != null) {
            dsl.addObject().put("op", "add_state_store").set("store", p.store);
        }
        final ObjectNode o = op("transform_values", n);
        if (p.store != null) {
            o.putArray("stores").add(p.store.get("name").asText());
        }
        o.set("processor", p.processor);
        maybeNamed(o);
        final Node r = revalued(o, n, p.value);
        if (chance(50)) {
            kept(o, r, 80);
        }
        return true;
    }

    // ---- commands ----

    private String key() {
        return any("a", "b", "c");
    }

    /** A source whose values are commands for a store, and the processor that answers them. */
    final void commands(final int i) {
        final String kind = any("kv", "lru", "window", "session", "versioned");
        final ObjectNode store = store(kind, "string");
        final boolean disk = store.path("persistent").asBoolean();
        final String commands = disk && kind.equals("kv") ? "kv_disk" : kind;
        final ObjectNode source = op("stream", null).put("topic", "c" + i);
        source.set("consumed", object().put("key", "string").put("value", "string"));
        topics.add(new String[] {"c" + i, "commands:" + commands});
        final Node n = new Node(source.get("id").asText(), 'S', "string", "string");
        processed(n, new Processor(of((kind.equals("lru") ? "kv" : kind) + "_commands"), store, "string", true));
    }

    private String value() {
        return any("p", "q", "r");
    }

    /** The topics whose commands have written to a session store. */
    private final Set<String> written = new HashSet<>();

    /**
     * A command for a store of such a kind. One of sessions is written to first: Java's cached one fails when it is looked at
     * backwards before (its latest time is -1 then, at which no session may start).
     */
    final String command(final String topic, final String kind, final long now) {
        final long at = Math.max(0, now - random.nextInt(20));
        final String span = " " + Math.max(0, at - random.nextInt(15)) + " " + (at + random.nextInt(15));
        final String keys = " " + any("a", "b", "-") + " " + any("b", "c", "-");
        switch (kind) {
            case "kv":
            case "kv_disk":
            case "lru":
                switch (random.nextInt(kind.equals("lru") ? 7 : kind.equals("kv") ? 13 : 12)) {
                    case 0:
                    case 1: return "put " + value();
                    case 2: return "put_null";
                    case 3: return "put_if_absent " + value();
                    case 4:
                        // Java logs what a full store lets go before all of the puts.
                        return kind.equals("lru") ? "get" : "put_all " + value() + " " + key() + " " + value();
                    case 5: return "delete";
                    case 6: return "get";
                    case 7: return "range" + keys;
                    case 8: return "reverse_range" + keys;
                    case 9: return "all";
                    case 10: return "reverse_all";
                    case 11: return "prefix " + key();
                    default: return "count";
                }
            case "window":
                switch (random.nextInt(14)) {
                    case 0:
                    case 1:
                    case 2: return "put " + value();
                    case 3: return "put_null";
                    case 4: return "put_at " + value() + " " + at;
                    case 5: return "get " + at;
                    case 6: return "fetch" + span;
                    case 7: return "backward_fetch" + span;
                    case 8: return "fetch_range" + keys + span;
                    case 9: return "backward_fetch_range" + keys + span;
                    case 10: return "fetch_all" + span;
                    case 11: return "backward_fetch_all" + span;
                    case 12: return "all";
                    default: return "backward_all";
                }
            case "session":
                switch (written.add(topic) ? 0 : random.nextInt(12)) {
                    case 0:
                    case 1:
                    case 2: return "put " + value() + span;
                    case 3: return "remove" + span;
                    case 4: return "get" + span;
                    case 5: return "fetch";
                    case 6: return "backward_fetch";
                    case 7: return "find" + span;
                    case 8: return "backward_find" + span;
                    case 9: return "fetch_range" + keys;
                    case 10: return "backward_fetch_range" + keys;
                    default: return "find_range" + keys + span;
                }
            default:
                switch (random.nextInt(6)) {
                    case 0:
                    case 1: return "put " + value();
                    case 2: return "put_null";
                    case 3: return "delete";
                    case 4: return "get";
                    default: return "get " + at;
                }
        }
    }
}
