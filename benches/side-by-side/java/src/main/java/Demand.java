import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** The digest that the input demands of a workload, computed without any stream processor. */
final class Demand {
    private Demand() { }

    static void run(Args args) {
        String workload = args.need("workload");
        String[] in = args.need("in").split(",");
        long sum = switch (workload) {
            case "passthrough" -> passthrough(args, in[0]);
            case "count" -> count(args, in[0]);
            case "table-table-join" -> joined(args, in, false);
            case "foreign-key-join" -> joined(args, in, true);
            default -> throw new IllegalArgumentException("nobody knows what is demanded of " + workload);
        };
        System.out.printf("{\"workload\":\"%s\",\"digest\":\"%016x\"}%n", workload, sum);
    }

    private static long passthrough(Args args, String topic) {
        long[] sum = new long[1];
        Reader.all(args, topic, record -> sum[0] += Digest.of(record.key(), record.value()));
        return sum[0];
    }

    private static long count(Args args, String topic) {
        Map<Long, Long> counts = new HashMap<>();
        Reader.all(args, topic, record -> counts.merge(number(record.key()), 1L, Long::sum));
        return counts.entrySet().stream().mapToLong(e -> Digest.of(bytes(e.getKey()), bytes(e.getValue()))).sum();
    }

    /** Each left row with the right one, of its own key or of its foreign key; a left join by keys, an inner one by foreign keys. */
    private static long joined(Args args, String[] in, boolean byForeignKey) {
        Map<Long, Long> left = heads(args, in[0]);
        Map<Long, Long> right = heads(args, in[1]);
        return left.entrySet().stream().mapToLong(e -> {
            Long other = right.get(byForeignKey ? Topologies.foreignKey(e.getValue()) : e.getKey());
            if (other == null && byForeignKey) return 0;
            byte[] value = ByteBuffer.allocate(16).putLong(e.getValue()).putLong(other == null ? 0 : other).array();
            return Digest.of(bytes(e.getKey()), value);
        }).sum();
    }

    /** The last value of each key, as far as it is read. */
    private static Map<Long, Long> heads(Args args, String topic) {
        Map<Long, Long> heads = new HashMap<>();
        Reader.all(args, topic, record -> heads.put(number(record.key()), number(record.value())));
        return heads;
    }

    private static long number(byte[] bytes) { return ByteBuffer.wrap(bytes).getLong(); }

    private static byte[] bytes(long number) { return ByteBuffer.allocate(8).putLong(number).array(); }
}
