package conformance;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Random;

/** Operators of tables, and aggregations. */
class DrawTables extends DrawProcessors {
    DrawTables(final Random random) {
        super(random);
    }

    /** Groups a stream by a new key or its own; text when the keys must be named so. */
    final Node group(final Node n, final String key) {
        final boolean by = key != null || chance(40);
        final ObjectNode o = op(by ? "group_by" : "group_by_key", n);
        if (by) {
            o.put("key", key == null ? keyOf(n.value) : key);
        }
        if (by || !n.known() || chance(75)) {
            o.set("grouped", serdes("string", n.value, 40));
        }
        final Node g = new Node(o.get("id").asText(), 'g', "string", n.value);
        g.serde = true;
        return g;
    }

    final Node group(final Node n) {
        return group(n, null);
    }

    /** Adds count, reduce or aggregate, and through {@code type} tells the type of the result. */
    private ObjectNode fold(final Node g, final String value, final boolean session, final String[] type) {
        switch (random.nextInt(3)) {
            case 0:
                type[0] = "long";
                return op("count", g);
            case 1:
                type[0] = value;
                return op("reduce", g).put("reducer", reducer(value));
            default: {
                type[0] = aggregated(value);
                final ObjectNode o = op("aggregate", g).put("initializer", initializer(value)).put("aggregator", aggregator(value));
                return session ? o.put("merger", merger(value)) : o;
            }
        }
    }

    /** A store without options takes serdes that the library knows. */
    private boolean hasOwnSerde(final ObjectNode fold) {
        return !fold.get("op").asText().equals("aggregate");
    }

    final boolean aggregate(final Node g, final String value) {
        final String[] type = new String[1];
        final ObjectNode o = fold(g, value, false, type);
        final Node t = add(o, 'T', "string", type[0]);
        if (hasOwnSerde(o) && chance(15)) {
            t.serde = true;
            return true;
        }
        maybeNamed(o);
        kept(o, t, 50);
        return true;
    }

    final boolean windowed(final Node g, final String value) {
        final String[] key = new String[1];
        final String[] type = new String[1];
        final ObjectNode w = window(key);
        final boolean session = key[0].startsWith("session");
        final ObjectNode by = op("windowed_by", g);
        by.set("windows", w);
        Node at = new Node(by.get("id").asText(), 'w', "string", value);
        boolean closes = closes(key[0]);
        boolean close = false;
        if (chance(30)) {
            close = chance(80);
            final ObjectNode e = op("emit_strategy", at).put("strategy", close ? "on_window_close" : "on_window_update");
            at = new Node(e.get("id").asText(), 'w', "string", value);
            closes &= !close;
        }
        final ObjectNode o = fold(at, value, session, type);
        final Node t = add(o, 'T', key[0], type[0]);
        t.windowCloses = closes;
        if (hasOwnSerde(o) && chance(15)) {
            t.serde = true;
            return true;
        }
        maybeNamed(o);
        final ObjectNode store = windowStore(key[0], type[0]);
        if (session && close && store.has("supplier")) {
            // Java's store of sessions on disk that is handed in cannot be asked for those that have closed.
            ((ObjectNode) store.get("supplier")).put("persistent", false);
        }
        o.set("materialized", store);
        t.serde = o.get("materialized").has("value");
        return true;
    }

    final boolean cogroup(final Node n) {
        Node m = other(n, 'S', null);
        if (m == null || m == n) {
            return false;
        }
        final boolean numbers = n.value.equals("long") && m.value.equals("long");
        final String value = numbers ? "long" : "string";
        final ObjectNode first = op("cogroup", group(n)).put("aggregator", numbers ? "sum" : "log:+");
        Node at = new Node(first.get("id").asText(), 'c', "string", value);
        for (int i = 0; i < 2; i++) {
            final Node grouped = group(m);
            final ObjectNode d = op("cogroup", at).put("other", grouped.id).put("aggregator", numbers ? any("sub", "inc") : any("log:-", "key_concat:;"));
            at = new Node(d.get("id").asText(), 'c', "string", value);
            final Node third = other(n, 'S', numbers ? "long" : null);
            if (third == null || third == n || third == m || chance(60)) {
                break;
            }
            m = third;
        }
        final String[] key = {"string"};
        final boolean window = chance(50);
        if (window) {
            final ObjectNode w = op("windowed_by", at);
            w.set("windows", window(key));
            at = new Node(w.get("id").asText(), 'w', "string", value);
        }
        final ObjectNode o = op("aggregate", at).put("initializer", numbers ? "zero" : "empty");
        if (key[0].startsWith("session")) {
            o.put("merger", numbers ? "sum" : "concat:&");
        }
        maybeNamed(o);
        final Node t = add(o, 'T', key[0], value);
        if (window) {
            o.set("materialized", windowStore(key[0], value));
            t.serde = o.get("materialized").has("value");
        } else {
            kept(o, t, 50);
        }
        t.windowCloses = window && closes(key[0]);
        return true;
    }

    final boolean tableOperator(final Node n) {
        switch (random.nextInt(13)) {
            case 0: {
                final ObjectNode o = op(any("filter", "filter_not"), n).put("predicate", predicate(n.value));
                maybeNamed(o);
                final Node r = derived(o, n, n.value);
                if (chance(40)) {
                    kept(o, r, 80);
                }
                return true;
            }
            case 9:
            case 1: return mappedTable(n);
            case 2:
            case 3: {
                final ObjectNode o = op("to_stream", n);
                if (chance(30)) {
                    o.put("key", keyOf(n.value));
                }
                maybeNamed(o);
                final Node s = add(o, 'S', "string", n.value);
                s.serde = n.serde;
                return true;
            }
            case 4: return regroup(n, keyOf(n.value));
            case 12: return transformer(n);
            case 5:
            case 6: return tableJoin(n);
            case 7:
            case 10:
            case 11: return foreignKeyJoin(n);
            default: {
                if (n.versioned || !n.serde) {
                    return false;
                }
                final ObjectNode o = op("suppress", n);
                o.set("suppressed", suppressed());
                derived(o, n, n.value);
                return true;
            }
        }
    }

    private boolean mappedTable(final Node n) {
        final String[] type = new String[1];
        final boolean transformed = chance(40);
        final boolean withKey = transformed || chance(30);
        final String value = withKey ? mapperWithKey(n.value, type) : mapper(n.value, type);
        final ObjectNode o = op(transformed ? "transform_values" : "map_values", n).put("value", value);
        if (!transformed && withKey) {
            o.put("with_key", true);
        }
        maybeNamed(o);
        final Node r = revalued(o, n, type[0]);
        if (n.key.equals("string") && chance(40)) {
            kept(o, r, 80);
        }
        return true;
    }

    private boolean tableJoin(final Node n) {
        final Node m = other(n, 'T', null);
        if (m == null) {
            return false;
        }
        final ObjectNode o = op(any("join", "left_join", "outer_join"), n).put("other", m.id)
            .put("joiner", any("lr:+", "lr:+", "lr:+ > null_if_contains:3"));
        m.used = true;
        maybeNamed(o);
        final Node r = add(o, 'T', "string", "string");
        if (chance(50)) {
            kept(o, r, 60);
        } else {
            r.versioned = n.versioned || m.versioned;
        }
        return true;
    }

    private boolean foreignKeyJoin(final Node n) {
        final Node m = other(n, 'T', null);
        if (m == null || !n.serde || !m.serde || !n.value.equals("string")) {
            return false;
        }
        final ObjectNode o = op(any("join", "left_join"), n).put("other", m.id)
            .put("foreign_key", any("v > first_char", "v > null_if_contains:3 > first_char")).put("joiner", "lr:+");
        if (chance(25)) {
            o.put("with_key", true).put("foreign_key", any("k", "kv:. > after:. > first_char"));
        }
        m.used = true;
        if (chance(45)) {
            o.set("table_joined", tableJoined());
        }
        final Node r = add(o, 'T', "string", "string");
        if (!textByDefault || chance(80)) {
            kept(o, r, 50);
        }
        return true;
    }

    /** Groups a table by a key and aggregates it. */
    private boolean regroup(final Node n, final String key) {
        final ObjectNode o = op("group_by", n).put("key", key).put("value", "v");
        o.set("grouped", serdes("string", n.value, 40));
        final Node grouped = new Node(o.get("id").asText(), 'h', "string", n.value);
        final ObjectNode a;
        String type = n.value;
        switch (random.nextInt(3)) {
            case 0:
                a = op("count", grouped);
                type = "long";
                break;
            case 1:
                a = op("reduce", grouped);
                switch (n.value) {
                    case "long": a.put("adder", "sum").put("subtractor", "sub"); break;
                    case "string": a.put("adder", "log:+").put("subtractor", "log:-"); break;
                    default: a.put("adder", any("first", "last")).put("subtractor", any("first", "last"));
                }
                break;
            default:
                type = aggregated(n.value);
                if (n.value.equals("long")) {
                    final boolean sums = chance(70);
                    a = op("aggregate", grouped).put("initializer", "zero").put("adder", sums ? "sum" : "inc").put("subtractor", sums ? "sub" : "dec");
                } else {
                    a = op("aggregate", grouped).put("initializer", any("empty", "null")).put("adder", "bag_add").put("subtractor", "bag_remove");
                }
        }
        final Node t = add(a, 'T', "string", type);
        if (hasOwnSerde(a) && chance(15)) {
            t.serde = true;
            return true;
        }
        if (chance(30)) {
            a.put("named", name());
        }
        kept(a, t, 50);
        return true;
    }

    final boolean windowedTableOperator(final Node n) {
        switch (random.nextInt(7)) {
            case 0: {
                final ObjectNode o = op(any("filter", "filter_not"), n).put("predicate", integer(n.value) ? "v > gt:1" : any("v > not_null", "v > contains:1"));
                maybeNamed(o);
                derived(o, n, n.value);
                return true;
            }
            case 1: {
                if (!n.windowCloses || !n.serde) {
                    return false;
                }
                final ObjectNode o = op("suppress", n);
                o.set("suppressed", untilWindowCloses());
                derived(o, n, n.value).windowCloses = false;
                return true;
            }
            case 2: return mappedTable(n);
            case 3: return chance(40) && regroup(n, "k > w_key");
            default: {
                final ObjectNode o = op("to_stream", n);
                final boolean key = chance(20);
                if (key) {
                    o.put("key", any("k > w_key", "k > to_string"));
                }
                maybeNamed(o);
                add(o, 'S', key ? "string" : n.key, n.value);
                return true;
            }
        }
    }
}
