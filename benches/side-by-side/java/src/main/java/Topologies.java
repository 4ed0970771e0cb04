import java.nio.ByteBuffer;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;

/** The workloads, as a user would write them; README.md ("Workloads") states each in words. */
final class Topologies {
    private static final Serde<Long> LONG = Serdes.Long();
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();
    private static final ValueJoiner<byte[], byte[], byte[]> HEADS = (left, right) -> {
        ByteBuffer joined = ByteBuffer.allocate(16).put(left, 0, 8);
        if (right != null) joined.put(8, right, 0, 8);
        return joined.array();
    };

    record Row(long head, byte[] bytes) { }

    private Topologies() { }

    /** So many rows the right table of a foreign-key join has. */
    private static final long RIGHT_ROWS = 100_000;

    /** The foreign key of a left row whose value begins with this number. */
    static long foreignKey(long head) { return Long.remainderUnsigned(head, RIGHT_ROWS); }

    /** Whether the number of records that sources process is known before: what a foreign-key join sends itself depends on how its sides meet. */
    static boolean isCounted(String workload) { return !workload.equals("foreign-key-join"); }

    /** How often each input record is processed by a source node (2 where it crosses a repartition topic). */
    static int passes(String workload) { return workload.equals("repartition") ? 2 : 1; }

    static void build(String workload, StreamsBuilder builder, String[] in, String out, int partitions) {
        switch (workload) {
            case "passthrough" -> builder.stream(in[0], Consumed.with(BYTES, BYTES)).to(out, Produced.with(BYTES, BYTES));
            case "stateless8" -> stateless(source(builder, in[0])).to(out, Produced.with(LONG, BYTES));
            case "repartition" -> source(builder, in[0])
                .selectKey((key, value) -> Long.remainderUnsigned(head(value), 10_000))
                .repartition(Repartitioned.<Long, byte[]>as("by-head").withKeySerde(LONG).withValueSerde(BYTES).withNumberOfPartitions(partitions))
                .to(out, Produced.with(LONG, BYTES));
            case "count" -> count(source(builder, in[0]), out);
            case "window-count" -> windowed(source(builder, in[0]), minute(), false, out);
            case "suppress" -> windowed(source(builder, in[0]), minute(), true, out);
            case "hopping-count" -> windowed(source(builder, in[0]),
                TimeWindows.ofSizeAndGrace(Duration.ofMinutes(10), Duration.ofSeconds(10)).advanceBy(Duration.ofSeconds(10)), false, out);
            case "session-count" -> source(builder, in[0]).groupByKey(Grouped.with(LONG, BYTES))
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(30), Duration.ofSeconds(10)))
                .count(Materialized.as("counts"))
                .toStream().to(out, Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(Long.class), LONG));
            case "stream-stream-join" -> source(builder, in[0])
                .join(source(builder, in[1]), HEADS, JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(10)),
                    StreamJoined.with(LONG, BYTES, BYTES))
                .to(out, Produced.with(LONG, BYTES));
            case "stream-table-join" -> source(builder, in[0])
                .join(table(builder, in[1], "table"), HEADS, Joined.with(LONG, BYTES, BYTES))
                .to(out, Produced.with(LONG, BYTES));
            case "table-table-join" -> table(builder, in[0], "left")
                .leftJoin(table(builder, in[1], "right"), HEADS, kept("joined"))
                .toStream().to(out, Produced.with(LONG, BYTES));
            case "foreign-key-join" -> table(builder, in[0], "left")
                .join(table(builder, in[1], "right"), value -> foreignKey(head(value)), HEADS, kept("joined"))
                .toStream().to(out, Produced.with(LONG, BYTES));
            case "restore" -> table(builder, in[0], "table");
            case "count+window" -> {
                KStream<Long, byte[]> stream = source(builder, in[0]);
                count(stream, out);
                stream.groupByKey(Grouped.with(LONG, BYTES)).windowedBy(minute()).count(Materialized.as("windows"));
            }
            default -> throw new IllegalArgumentException("unknown workload " + workload);
        }
    }

    private static KStream<Long, byte[]> source(StreamsBuilder builder, String topic) {
        return builder.stream(topic, Consumed.with(LONG, BYTES));
    }

    private static KTable<Long, byte[]> table(StreamsBuilder builder, String topic, String store) {
        return builder.table(topic, Consumed.with(LONG, BYTES), kept(store));
    }

    private static Materialized<Long, byte[], KeyValueStore<Bytes, byte[]>> kept(String store) {
        return Materialized.<Long, byte[], KeyValueStore<Bytes, byte[]>>as(store).withKeySerde(LONG).withValueSerde(BYTES);
    }

    private static long head(byte[] value) { return ByteBuffer.wrap(value).getLong(); }

    private static TimeWindows minute() { return TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofSeconds(10)); }

    private static void count(KStream<Long, byte[]> stream, String out) {
        stream.groupByKey(Grouped.with(LONG, BYTES)).count(Materialized.as("counts")).toStream().to(out, Produced.with(LONG, LONG));
    }

    private static void windowed(KStream<Long, byte[]> stream, TimeWindows windows, boolean suppressed, String out) {
        var counts = stream.groupByKey(Grouped.with(LONG, BYTES)).windowedBy(windows).count(Materialized.as("counts"));
        if (suppressed) counts = counts.suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()));
        counts.toStream().to(out, Produced.with(WindowedSerdes.timeWindowedSerdeFrom(Long.class, windows.size()), LONG));
    }

    /** Eight operators: decode, filter (half), map, mapValues, filterNot (1 in 256), split in three, merge, encode. */
    private static KStream<Long, byte[]> stateless(KStream<Long, byte[]> stream) {
        var branches = stream
            .mapValues(value -> new Row(head(value), value))
            .filter((key, row) -> row.head() >= 0)
            .map((key, row) -> org.apache.kafka.streams.KeyValue.pair(key + 1, new Row(row.head() * 31 + 7, row.bytes())))
            .mapValues(row -> new Row(row.head() ^ (row.head() >>> 7), row.bytes()))
            .filterNot((key, row) -> (row.head() & 0xff) == 0)
            .split(Named.as("third-"))
            .branch((key, row) -> Long.remainderUnsigned(row.head(), 3) == 0, Branched.as("0"))
            .branch((key, row) -> Long.remainderUnsigned(row.head(), 3) == 1, Branched.as("1"))
            .defaultBranch(Branched.as("2"));
        return branches.get("third-0").merge(branches.get("third-1")).merge(branches.get("third-2"))
            .mapValues(row -> {
                byte[] value = row.bytes().clone();
                ByteBuffer.wrap(value).putLong(row.head());
                return value;
            });
    }
}
