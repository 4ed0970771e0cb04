import java.util.HashMap;
import java.util.Map;

/** An order-independent digest of a topic: of the last value of each key, or with {@code --all} of every record. */
final class Digest {
    private static final long OFFSET_BASIS = 0xcbf29ce484222325L;
    private static final long PRIME = 0x100000001b3L;

    private Digest() { }

    static void run(Args args) {
        boolean all = args.has("all");
        Map<Long, Long> last = new HashMap<>();
        long[] counts = new long[2];
        Reader.all(args, args.need("topic"), record -> {
            counts[0]++;
            if (all) counts[1] += of(record.key(), record.value());
            else if (record.value() == null) last.remove(fnv1a(OFFSET_BASIS, record.key()));
            else last.put(fnv1a(OFFSET_BASIS, record.key()), of(record.key(), record.value()));
        });
        long sum = all ? counts[1] : last.values().stream().mapToLong(Long::longValue).sum();
        System.out.printf("{\"topic\":\"%s\",\"rows\":%d,\"keys\":%d,\"digest\":\"%016x\"}%n", args.need("topic"), counts[0], last.size(), sum);
    }

    /** Of one record; a null value adds nothing to the key. */
    static long of(byte[] key, byte[] value) { return fnv1a(fnv1a(OFFSET_BASIS, key), value); }

    private static long fnv1a(long state, byte[] bytes) {
        long hash = state;
        if (bytes != null) {
            for (byte b : bytes) hash = (hash ^ (b & 0xff)) * PRIME;
        }
        return hash;
    }
}
