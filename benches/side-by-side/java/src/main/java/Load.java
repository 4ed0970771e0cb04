import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/** Writes one deterministic topic; README.md ("Data") defines every byte of it. */
public final class Load {
    private static final long BASE_MS = 1_700_000_000_000L;

    private long x;

    private Load(long seed) {
        x = seed;
        for (int i = 0; i < 16; i++) next();
    }

    private long next() {
        x ^= x << 13;
        x ^= x >>> 7;
        x ^= x << 17;
        return x;
    }

    public static void main(String[] argv) throws Exception {
        Args args = new Args(argv);
        String shape = args.word;
        boolean changelog = shape.equals("changelog");
        boolean random = shape.equals("random");
        if (!changelog && !random && !shape.equals("sequential")) throw new IllegalArgumentException("unknown shape " + shape);
        String topic = args.need("topic");
        int partitions = (int) args.number("partitions", 4);
        long n = Long.parseLong(args.need("n"));
        long keys = args.number("keys", n);
        int valueBytes = (int) args.number("value-bytes", 100);
        long late = args.number("late", 0);
        long stepUs = args.number("step-us", 10);
        long base = args.number("base-ms", BASE_MS);
        Load random64 = new Load(args.number("seed", 42));

        Properties config = new Properties();
        config.put("bootstrap.servers", args.need("bootstrap"));
        try (Admin admin = Admin.create(config)) {
            NewTopic made = new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1));
            if (changelog) made.configs(Map.of("cleanup.policy", "compact"));
            try {
                admin.createTopics(List.of(made)).all().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof TopicExistsException)) throw e;
            }
            // Answers once the broker leads every partition; a producer that is quicker may lose the order of its batches, and give up.
            admin.listOffsets(IntStream.range(0, partitions).boxed().collect(Collectors.toMap(i -> new TopicPartition(topic, i), i -> OffsetSpec.latest()))).all().get();
        }
        config.put("batch.size", "65536");
        config.put("linger.ms", "20");
        config.put("buffer.memory", "134217728");
        long began = System.nanoTime();
        AtomicReference<Exception> failed = new AtomicReference<>();
        int head = changelog ? 8 : 0;
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long i = 0; i < n; i++) {
                long draw = random64.next();
                long keyNumber = random ? Long.remainderUnsigned(draw, keys) : i % keys;
                long lateness = random64.next();
                long timestamp = base + i * stepUs / 1000;
                if (Long.remainderUnsigned(lateness, 10_000) < late) {
                    timestamp -= 1 + Long.remainderUnsigned(Long.divideUnsigned(lateness, 10_000), 5_000);
                }
                byte[] key = new byte[8];
                ByteBuffer.wrap(key).putLong(keyNumber);
                byte[] value = new byte[head + valueBytes];
                if (changelog) ByteBuffer.wrap(value).putLong(timestamp);
                for (int at = head; at < value.length; at += 8) {
                    long word = random64.next();
                    for (int b = 0; b < 8 && at + b < value.length; b++) value[at + b] = (byte) (word >>> (56 - 8 * b));
                }
                int partition = Utils.toPositive(Utils.murmur2(key)) % partitions;
                producer.send(new ProducerRecord<>(topic, partition, timestamp, key, value), (metadata, error) -> {
                    if (error != null) failed.compareAndSet(null, error);
                });
                if (failed.get() != null) throw failed.get();
            }
            producer.flush();
        }
        if (failed.get() != null) throw failed.get();
        System.out.printf("{\"topic\":\"%s\",\"records\":%d,\"wall_s\":%.3f}%n", topic, n, (System.nanoTime() - began) / 1e9);
    }
}
