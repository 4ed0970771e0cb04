package conformance;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Random;

/** Operators of streams. */
final class DrawStreams extends DrawTables {
    DrawStreams(final Random random) {
        super(random);
    }

    boolean operator(final Node n) {
        if (n.kind == 'S') {
            return n.key.equals("string") ? streamOperator(n) : windowedStreamOperator(n);
        }
        return n.kind == 'T' && (n.key.equals("string") ? tableOperator(n) : windowedTableOperator(n));
    }

    private boolean streamOperator(final Node n) {
        switch (random.nextInt(rare ? 35 : 31)) {
            case 0: {
                final ObjectNode o = op(any("filter", "filter_not"), n).put("predicate", predicate(n.value));
                maybeNamed(o);
                derived(o, n, n.value);
                return true;
            }
            case 1: return mapped(n);
            case 2: {
                final ObjectNode o = op("select_key", n).put("key", keyOf(n.value));
                maybeNamed(o);
                derived(o, n, n.value).keySerde = false;
                return true;
            }
            case 3: {
                final String[] type = new String[1];
                final ObjectNode o = op("map", n).put("key", keyOf(n.value)).put("value", mapperWithKey(n.value, type));
                maybeNamed(o);
                revalued(o, n, type[0]).keySerde = false;
                return true;
            }
            case 4:
            case 23: return flatMapped(n);
            case 5: {
                final Node m = other(n, 'S', n.value);
                if (m == null || m == n) {
                    return false;
                }
                final ObjectNode o = op("merge", n).put("other", m.id);
                m.used = true;
                maybeNamed(o);
                revalued(o, n, n.value).keySerde = false;
                return true;
            }
            case 6: return split(n);
            case 7: {
                final ObjectNode o = op("repartition", n);
                final Node r = derived(o, n, n.value);
                r.keySerde = false;
                if (!n.serde || !textByDefault || chance(80)) {
                    o.set("repartitioned", repartitioned(n));
                    r.serde |= o.get("repartitioned").has("value");
                    r.keySerde = o.get("repartitioned").has("key");
                }
                return true;
            }
            case 8:
                processed(n, stateful(n.value));
                return true;
            case 24:
                processed(n, stateless(n.value));
                return true;
            case 9: {
                final ObjectNode o = op("to_table", n);
                maybeNamed(o);
                final Node t = add(o, 'T', "string", n.value);
                if (n.known() && chance(25)) {
                    t.serde = true;
                } else {
                    kept(o, t, 60);
                }
                return true;
            }
            case 10:
            case 11:
            case 12: return aggregate(group(n), n.value);
            case 13:
            case 14: return windowed(group(n), n.value);
            case 15:
            case 16:
            case 20:
            case 21: {
                final Node m = other(n, 'S', null);
                return m != null && streamJoin(n, m);
            }
            case 17:
            case 22: {
                final Node m = other(n, 'T', null);
                return m != null && tableLookup(n, m);
            }
            case 18:
            case 25:
            case 26: {
                final Node g = other(n, 'G', null);
                return g != null && globalLookup(n, g);
            }
            case 27:
                return watched(n);
            case 28:
                ended(n);
                return true;
            case 29:
            case 30:
                to(n, out());
                return true;
            case 31: return writtenAndRead(n);
            case 32: return routed(n);
            case 33: return global(n);
            case 34:
                to(n, null);
                return true;
            default: return cogroup(n);
        }
    }

    private boolean mapped(final Node n) {
        final String[] type = new String[1];
        final boolean withKey = chance(30);
        final ObjectNode o = op("map_values", n).put("value", withKey ? mapperWithKey(n.value, type) : mapper(n.value, type));
        if (withKey) {
            o.put("with_key", true);
        }
        maybeNamed(o);
        revalued(o, n, type[0]);
        return true;
    }

    private boolean flatMapped(final Node n) {
        final String list = any("v > repeat:2", "v > repeat:2", "v > repeat:1", "v > chars", "v > words", "v > none");
        final String type = list.endsWith("chars") || list.endsWith("words") ? "string" : n.value;
        final ObjectNode o;
        final boolean keys = chance(50);
        if (keys) {
            o = op("flat_map", n).put("list", list).put("key", chance(50) ? "k" : keyOf(n.value)).put("value", "e");
        } else {
            o = op("flat_map_values", n).put("list", list);
            if (chance(30)) {
                o.put("with_key", true);
            }
        }
        maybeNamed(o);
        revalued(o, n, type).keySerde &= !keys;
        return true;
    }

    private boolean split(final Node n) {
        final ObjectNode o = end("split", n);
        final ArrayNode branches = o.putArray("branches");
        final int count = chance(70) ? 1 : 2;
        for (int i = 0; i < count; i++) {
            branch(branches.addObject().put("predicate", predicate(n.value)), n);
        }
        if (chance(70)) {
            branch(o.putObject("default"), n);
        }
        maybeNamed(o);
        return true;
    }

    private void branch(final ObjectNode branch, final Node n) {
        branch.put("id", id());
        if (chance(25)) {
            branch.put("name", name());
        }
        if (chance(20)) {
            branch.put("consumer", true);
        }
        final Node b = add(branch, 'S', n.key, n.value);
        b.serde = n.serde;
        b.keySerde = n.keySerde;
    }

    /** A stream that goes on as it is. */
    private boolean watched(final Node n) {
        final ObjectNode o = op("peek", n);
        maybeNamed(o);
        derived(o, n, n.value);
        return true;
    }

    /** The end of a stream that no topic sees. */
    private void ended(final Node n) {
        if (chance(50)) {
            maybeNamed(end("foreach", n));
            return;
        }
        final ObjectNode o = end("print", n);
        if (n.value.equals("bytes") || chance(40)) {
            o.put("show", "kv:/");
        }
        if (chance(40)) {
            o.put("label", any("in", "a b"));
        }
        if (chance(40)) {
            o.put("name", name());
        }
    }

    /** To a topic, or where there is none, to those that an expression names. */
    void to(final Node n, final String topic) {
        final ObjectNode to = end("to", n);
        if (topic == null) {
            to.put("topic_expr", !n.key.equals("string") ? "kv:- > hash_mod:2 > prefix:outx" : any("kv:- > hash_mod:2 > prefix:outx", "v > or:z > length > prefix:outy", "k > or:none > hash_mod:3 > prefix:outz")).set("produced", produced(n));
            return;
        }
        to.put("topic", topic);
        if (!n.known() || !n.key.equals("string") || chance(80)) {
            to.set("produced", produced(n));
        }
    }

    private boolean streamJoin(final Node n, final Node m) {
        final ObjectNode o = op(any("join", "left_join", "outer_join"), n).put("other", m.id);
        m.used = true;
        joiner(o);
        final ObjectNode w = joinWindows();
        o.set("windows", w);
        o.set("stream_joined", streamJoined(n, m, w));
        add(o, 'S', "string", "string");
        return true;
    }

    private void joiner(final ObjectNode o) {
        if (chance(30)) {
            o.put("with_key", true).put("joiner", "klr:/");
        } else {
            o.put("joiner", any("lr:+", "lr:+", "lr:+ > null_if_contains:3"));
        }
    }

    private boolean tableLookup(final Node n, final Node m) {
        final ObjectNode o = op(any("join", "left_join"), n).put("other", m.id);
        m.used = true;
        final boolean plain = n.known() && chance(20);
        if (plain) {
            o.put("joiner", "lr:+");
        } else {
            joiner(o);
            final ObjectNode j = serdes("string", n.value, 40).put("other_value", m.value);
            if (m.ownVersioned && chance(60)) {
                j.put("grace_ms", 1 + random.nextInt(20));
            }
            o.set("joined", j);
        }
        add(o, 'S', "string", "string");
        return true;
    }

    private boolean globalLookup(final Node n, final Node g) {
        final ObjectNode o = op(any("join", "left_join"), n).put("other", g.id).put("key", chance(40) ? "k" : keyOf(n.value));
        switch (random.nextInt(3)) {
            case 0: o.put("joiner", "lr:+"); break;
            case 1: o.put("with_key", true).put("joiner", "klr:/"); break;
            default: o.put("with_mapped_key", true).put("joiner", "kmlr:/");
        }
        maybeNamed(o);
        revalued(o, n, "string");
        return true;
    }

    private boolean windowedStreamOperator(final Node n) {
        final String[] type = new String[1];
        switch (random.nextInt(8)) {
            case 0: {
                final ObjectNode o = op(any("filter", "filter_not"), n).put("predicate", integer(n.value) ? "v > gt:1" : any("v > not_null", "v > contains:1"));
                maybeNamed(o);
                derived(o, n, n.value);
                return true;
            }
            case 1: {
                final ObjectNode o = op("map_values", n).put("value", mapper(n.value, type));
                maybeNamed(o);
                revalued(o, n, type[0]);
                return true;
            }
            case 2:
                if (chance(50)) {
                    return watched(n);
                }
                ended(n);
                return true;
            case 3: {
                final Node g = group(n, "k > w_key");
                return chance(70) ? aggregate(g, n.value) : windowed(g, n.value);
            }
            case 4: {
                final ObjectNode o = op("to_table", n);
                o.set("materialized", object().put("store", name()).put("key", n.key).put("value", n.value));
                add(o, 'T', n.key, n.value).serde = true;
                return true;
            }
            default: {
                final ObjectNode o = op("select_key", n).put("key", any("k > w_key", "k > to_string"));
                maybeNamed(o);
                add(o, 'S', "string", n.value);
                return true;
            }
        }
    }
}
