package conformance;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;

/** A random program in the making: what it has so far, and the dice. */
class Draw {
    /** A stream or table in the program under construction. */
    static final class Node {
        final String id;
        /** S stream, T table, G global table; g and h grouped, c cogrouped, w windowed. */
        final char kind;
        final String key;
        final String value;
        boolean used;
        /** The value serde is known to the library without being named. */
        boolean serde;
        /** The key serde too. */
        boolean keySerde;
        boolean versioned;
        boolean ownVersioned;
        boolean windowCloses;

        Node(final String id, final char kind, final String key, final String value) {
            this.id = id;
            this.kind = kind;
            this.key = key;
            this.value = value;
        }

        boolean known() {
            return serde && keySerde;
        }
    }

    final Random random;
    final ArrayNode dsl = Json.MAPPER.createArrayNode();
    final List<Node> nodes = new ArrayList<>();
    /** Topics of the input, each with the type of its values, or the kind of the commands that they are. */
    final List<String[]> topics = new ArrayList<>();
    /** What only few programs use, this one may: options that shape topics, rare stores, commands, errors. */
    final boolean rare;
    /** Serdes of text need not be named. */
    boolean textByDefault;
    boolean wallClock;
    /** Stores may have a cache, whose entries share the header list of their record. */
    boolean cached = true;
    /** Records wait for other partitions: what cannot be read among them fails one record earlier in Java, which looks ahead. */
    boolean waits;
    /** Stores keep headers. */
    boolean headers;
    private int ids;
    private int names;
    private int outs;

    Draw(final Random random) {
        this.random = random;
        rare = chance(25);
    }

    final boolean chance(final int percent) {
        return random.nextInt(100) < percent;
    }

    /** With this chance in a program that may use what is rare. */
    final boolean rarely(final int percent) {
        return rare && chance(percent);
    }

    final String any(final String... choices) {
        return choices[random.nextInt(choices.length)];
    }

    static ObjectNode object() {
        return Json.MAPPER.createObjectNode();
    }

    final String id() {
        return "x" + ids++;
    }

    final String name() {
        return "n" + names++;
    }

    /** A topic of the output. */
    final String out() {
        return "out" + outs++;
    }

    final ObjectNode op(final String name, final Node on) {
        final ObjectNode n = object().put("id", id()).put("op", name);
        if (on != null) {
            n.put("on", on.id);
            on.used = true;
        }
        dsl.add(n);
        return n;
    }

    /** A statement without a result. */
    final ObjectNode end(final String name, final Node on) {
        final ObjectNode n = op(name, on);
        n.remove("id");
        return n;
    }

    final void maybeNamed(final ObjectNode op) {
        if (chance(30)) {
            op.put("named", name());
        }
    }

    final Node add(final ObjectNode op, final char kind, final String key, final String value) {
        final Node n = new Node(op.get("id").asText(), kind, key, value);
        nodes.add(n);
        return n;
    }

    final Node derived(final ObjectNode op, final Node from, final String value) {
        final Node n = add(op, from.kind, from.key, value);
        n.versioned = from.versioned;
        n.windowCloses = from.windowCloses;
        n.serde = from.serde && value.equals(from.value);
        n.keySerde = from.keySerde;
        return n;
    }

    /** Derived, with values whose serde nobody knows. */
    final Node revalued(final ObjectNode op, final Node from, final String value) {
        final Node n = derived(op, from, value);
        n.serde = false;
        return n;
    }

    /** A node to go on from: more often one that has no consumer yet. */
    final Node next() {
        final List<Node> unused = nodes.stream().filter(n -> !n.used).collect(Collectors.toList());
        final List<Node> from = unused.isEmpty() || chance(35) ? nodes : unused;
        return from.get(random.nextInt(from.size()));
    }

    final Node other(final Node not, final char kind, final String value) {
        final List<Node> fit = nodes.stream()
            .filter(n -> n.kind == kind && n.key.equals("string") && (value == null || n.value.equals(value)) && (n != not || chance(10)))
            .collect(Collectors.toList());
        return fit.isEmpty() ? null : fit.get(random.nextInt(fit.size()));
    }

    // ---- functions ----

    static boolean integer(final String type) {
        return type.equals("long") || type.equals("int");
    }

    final String predicate(final String value) {
        if (integer(value)) {
            return any("v > gt:2", "v > even", "v > lt:4", "v > not_null");
        }
        return value.equals("string")
            ? any("v > starts_with:a", "v > contains:1", "v > not_null", "v > hash_mod:2,0", "k > equals:b", "v > len_gt:3", "v > is_null", "k > not_null")
            : any("v > contains:1", "v > not_null", "v > hash_mod:2,0", "k > equals:b", "v > len_gt:3");
    }

    /** A value function and, through {@code out}, the type that it gives. */
    final String mapper(final String value, final String[] out) {
        if (chance(12)) {
            final String number = integer(value) ? "v" : "v > length";
            out[0] = any("int", "double", "bytes", "long", "string");
            switch (out[0]) {
                case "int": return number + " > to_int";
                case "double": return number + any(" > to_double > half", " > to_double");
                case "bytes": return "v > to_bytes";
                case "long": return number + " > plus:1";
                default: return "v > to_string";
            }
        }
        switch (value) {
            case "string": {
                final String f = any("v > append:!", "v > prefix:p", "v > length", "v > upper", "v > null_if_contains:2", "v > first_char",
                    "v > before:|", "v > or:none", "v > after:| > or:0");
                out[0] = f.endsWith("length") ? "long" : "string";
                return f;
            }
            case "long": {
                final String f = any("v > plus:1", "v > times:3", "v > to_string", "v > null_if:3", "v > null_if_gt:4");
                out[0] = f.endsWith("to_string") ? "string" : "long";
                return f;
            }
            default: {
                final String f = any("v > to_string", "v > null_if_contains:3", "v > to_string > append:!");
                out[0] = f.contains("to_string") ? "string" : value;
                return f;
            }
        }
    }

    /** A value function that sees the key. */
    final String mapperWithKey(final String value, final String[] out) {
        if (chance(50)) {
            return mapper(value, out);
        }
        out[0] = "string";
        return any("kv:-", "k > append:!", "kv:. > null_if_contains:2");
    }

    final String keyOf(final String value) {
        if (integer(value)) {
            return "v > mod:3 > to_string";
        }
        return value.equals("string") ? any("v > first_char", "v > lower > first_char", "v > null_if_contains:3 > first_char", "k > or:b")
            : "v > hash_mod:3 > to_string";
    }

    final String reducer(final String value) {
        switch (value) {
            case "long": return any("sum", "max", "min", "sub");
            case "string": return any("log:+", "concat:,", "first", "last", "null_on:a|2");
            default: return any("first", "last");
        }
    }

    /** The type of an aggregate of such values. */
    static String aggregated(final String value) {
        return value.equals("long") ? "long" : "string";
    }

    final String initializer(final String value) {
        return value.equals("long") ? any("zero", "zero", "null") : any("empty", "const:i", "null");
    }

    final String aggregator(final String value) {
        return value.equals("long") ? any("sum", "inc", "dec", "max", "min") : any("log:+", "concat:,", "key_concat:;", "bag_add", "null_on:b|1");
    }

    final String merger(final String value) {
        return value.equals("long") ? any("sum", "max") : any("concat:&", "log:&", "last");
    }
}
