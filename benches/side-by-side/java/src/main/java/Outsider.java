import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/** Measures from outside: when the first output appears, the latency of a load that keeps to its schedule, and gaps in the output. */
final class Outsider {
    private final Args args;
    private final long rate;
    private final long secs;
    private long startUs;

    private Outsider(Args args) {
        this.args = args;
        rate = args.number("rate", 10_000);
        secs = args.number("secs", 30);
    }

    private static long epochUs() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000 + now.getNano() / 1000;
    }

    private static List<TopicPartition> fromTheEnd(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        List<TopicPartition> partitions = Reader.partitions(consumer, topic);
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        partitions.forEach(consumer::position);
        return partitions;
    }

    /** Prints the wall clock, in epoch milliseconds, at which the first new record of {@code --out} was seen. */
    static void watch(Args args) {
        long end = System.nanoTime() + args.number("secs", 60) * 1_000_000_000L;
        try (KafkaConsumer<byte[], byte[]> consumer = Reader.consumer(args)) {
            fromTheEnd(consumer, args.need("out"));
            System.out.println("{\"ready\":true}");
            while (System.nanoTime() < end) {
                if (!consumer.poll(Duration.ofMillis(50)).isEmpty()) {
                    System.out.printf("{\"epoch_ms\":%d}%n", epochUs() / 1000);
                    return;
                }
            }
        }
        throw new IllegalStateException("no output came");
    }

    /** Sends {@code --rate} records a second to {@code --in} for {@code --secs}, on schedule whatever comes back, and watches {@code --out}. */
    static void drive(Args args) throws Exception {
        new Outsider(args).drive();
    }

    private void drive() throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = Reader.consumer(args); KafkaProducer<byte[], byte[]> producer = producer()) {
            int partitions = fromTheEnd(consumer, args.need("out")).size();
            int inputs = producer.partitionsFor(args.need("in")).size();
            startUs = epochUs() + 100_000;
            System.out.printf("{\"start_epoch_ms\":%d}%n", startUs / 1000);
            CompletableFuture<Void> sender = CompletableFuture.runAsync(() -> send(producer, inputs));
            Seen seen = new Seen(partitions);
            long end = startUs + (secs + args.number("tail", 5)) * 1_000_000;
            while (epochUs() < end && seen.received < rate * secs) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(20))) seen.record(record);
            }
            sender.get();
            seen.print();
        }
    }

    private KafkaProducer<byte[], byte[]> producer() {
        Properties config = new Properties();
        config.put("bootstrap.servers", args.need("bootstrap"));
        config.put("linger.ms", "1");
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private void send(KafkaProducer<byte[], byte[]> producer, int partitions) {
        String topic = args.need("in");
        long keys = args.number("keys", 10_000);
        for (long next = 0; next < rate * secs; next++) {
            long stamp = startUs + next * 1_000_000 / rate;
            while (epochUs() < stamp) LockSupport.parkNanos(200_000);
            byte[] key = ByteBuffer.allocate(8).putLong(next % keys).array();
            byte[] value = new byte[100];
            ByteBuffer.wrap(value).putLong(stamp);
            int partition = Utils.toPositive(Utils.murmur2(key)) % partitions;
            producer.send(new ProducerRecord<>(topic, partition, stamp / 1000, key, value));
        }
        producer.flush();
    }

    /** What came back: latencies, and silences of each partition. */
    private final class Seen {
        private final long skipUs = args.number("skip-ms", 0) * 1000;
        private final long gapUs = args.number("gap-ms", 100) * 1000;
        private final boolean stampedInValue = args.get("stamp", "value").equals("value");
        private final long[] last;
        private final long[] longest;
        private final List<String> gaps = new ArrayList<>();
        private final long[] latencies = new long[(int) (rate * secs)];
        private int measured;
        private long received;

        Seen(int partitions) {
            last = new long[partitions];
            Arrays.fill(last, startUs);
            longest = new long[partitions];
        }

        void record(ConsumerRecord<byte[], byte[]> record) {
            long now = epochUs();
            long stamp = stampedInValue ? ByteBuffer.wrap(record.value()).getLong() : record.timestamp() * 1000;
            int at = record.partition();
            received++;
            if (stamp < startUs + skipUs) {
                last[at] = Math.max(now, startUs);
                return;
            }
            if (measured < latencies.length) latencies[measured++] = Math.max(now - stamp, 1);
            long gap = now - last[at];
            longest[at] = Math.max(longest[at], gap);
            if (gap >= gapUs) gaps.add("[" + at + "," + (last[at] - startUs) / 1000 + "," + gap / 1000 + "]");
            last[at] = now;
        }

        private double ms(double quantile) {
            return measured == 0 ? 0 : latencies[(int) Math.min(measured - 1, Math.ceil(quantile * measured))] / 1000.0;
        }

        void print() {
            Arrays.sort(latencies, 0, measured);
            long[] longestMs = Arrays.stream(longest).map(us -> us / 1000).toArray();
            System.out.printf("{\"sent\":%d,\"received\":%d,\"p50_ms\":%s,\"p90_ms\":%s,\"p99_ms\":%s,\"p999_ms\":%s,\"max_ms\":%s,\"longest_gap_ms\":%s,\"gaps\":%s}%n",
                rate * secs, received, ms(0.5), ms(0.9), ms(0.99), ms(0.999), ms(1), Arrays.toString(longestMs), gaps);
        }
    }
}
