package conformance;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;

/** Topologies node by node. */
final class DrawByHand extends DrawProcessors {
    /** The operations. */
    final ArrayNode operations = Json.MAPPER.createArrayNode();

    DrawByHand(final Random random) {
        super(random);
    }

    private ObjectNode operation(final String op) {
        return operations.addObject().put("op", op);
    }

    private static ObjectNode parents(final ObjectNode o, final Node... parents) {
        final ArrayNode names = o.putArray("parents");
        for (final Node parent : parents) {
            parent.used = true;
            names.add(parent.id);
        }
        return o;
    }

    private Node node(final String name, final String value) {
        final Node n = new Node(name, 'S', "string", value);
        nodes.add(n);
        return n;
    }

    void program() {
        final int sources = 1 + random.nextInt(2);
        for (int i = 0; i < sources; i++) {
            source(i);
        }
        final int size = 1 + random.nextInt(5);
        for (int i = 0; i < size; i++) {
            grow(next());
        }
        for (final Node n : List.copyOf(nodes)) {
            if (!n.used) {
                sink(n);
            }
        }
    }

    private void source(final int i) {
        final String value = any("string", "string", "long");
        final ObjectNode o = operation("add_source").put("name", name());
        topics.add(new String[] {"h" + i, value});
        if (chance(15)) {
            o.put("pattern", "h" + i + ".*");
        } else if (chance(20)) {
            o.putArray("topics").add("h" + i).add("h" + i + "b");
            topics.add(new String[] {"h" + i + "b", value});
        } else {
            o.putArray("topics").add("h" + i);
        }
        o.setAll(serdes("string", value));
        if (chance(15)) {
            o.put("offset_reset", any("earliest", "latest", "none"));
        }
        if (chance(15)) {
            o.put("timestamp_extractor", extractor(value));
        }
        node(o.get("name").asText(), value);
    }

    private void grow(final Node n) {
        switch (random.nextInt(8)) {
            case 0: {
                final String name = name();
                final String yes = name();
                final String no = name();
                final ObjectNode route = object().put("type", "route").put("predicate", predicate(n.value)).put("yes", yes).put("no", no);
                parents(operation("add_processor").put("name", name).set("processor", route), n);
                final Node routed = node(name, n.value);
                for (final String child : new String[] {yes, no}) {
                    parents(operation("add_processor").put("name", child).set("processor", object().put("type", "forward")), routed);
                    node(child, n.value);
                }
                return;
            }
            case 1:
                global(n, chance(50));
                return;
            default:
                processor(n, chance(50) ? stateful(n.value) : stateless(n.value));
        }
    }

    private void processor(final Node n, final Processor p) {
        final String name = name();
        final ObjectNode o = operation("add_processor").put("name", name);
        o.set("processor", p.processor);
        final List<Node> alike = nodes.stream().filter(m -> m != n && m.value.equals(n.value)).collect(Collectors.toList());
        if (!alike.isEmpty() && chance(20)) {
            parents(o, n, alike.get(random.nextInt(alike.size())));
        } else {
            parents(o, n);
        }
        if (p.store != null) {
            final String store = p.store.get("name").asText();
            switch (random.nextInt(3)) {
                case 0: p.processor.putArray("connected_stores").add(p.store); break;
                case 1:
                    ((ObjectNode) operation("add_state_store").set("store", p.store)).putArray("processors").add(name);
                    break;
                default:
                    operation("add_state_store").set("store", p.store);
                    operation("connect_processor_and_state_stores").put("processor", name).putArray("stores").add(store);
            }
        }
        node(name, p.value == null ? n.value : p.value).used = p.value == null;
    }

    /** A store that a topic fills, the same in all tasks or each task's own part, and a processor that reads it. */
    private void global(final Node n, final boolean everywhere) {
        final ObjectNode store = store("kv", "string");
        final String topic = "gs" + topics.size();
        topics.add(new String[] {topic, "string"});
        final String name = store.get("name").asText();
        final ObjectNode o = operation(everywhere ? "add_global_store" : "add_read_only_state_store").put("source_name", name())
            .put("topic", topic).put("processor_name", name());
        o.set("store", store);
        o.setAll(serdes("string", "string"));
        o.set("processor", object().put("type", "store_writer").put("store", name));
        final String reader = name();
        parents(operation("add_processor").put("name", reader).set("processor", object().put("type", "store_reader").put("store", name)), n);
        if (!everywhere) {
            operation("connect_processor_and_state_stores").put("processor", reader).putArray("stores").add(name);
        }
        node(reader, "string");
    }

    private void sink(final Node n) {
        final ObjectNode o = operation("add_sink").put("name", name());
        if (chance(20)) {
            o.put("topic_expr", any("kv:- > hash_mod:2 > prefix:outx", "k > or:none > hash_mod:3 > prefix:outz"));
        } else {
            o.put("topic", out());
        }
        o.setAll(serdes("string", n.value));
        parents(o, n);
    }
}
