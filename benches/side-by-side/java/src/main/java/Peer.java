import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Runs one workload on Java Kafka Streams until its input is used up, then prints one JSON line. README.md names the arguments. */
public final class Peer {
    /** After so long without anything to process, a workload that is not counted has come to its end. */
    private static final long QUIET_MS = 15_000;
    private static final long START_MS = ManagementFactory.getRuntimeMXBean().getStartTime();

    private final Args args;
    private final String app;
    private final Properties config = new Properties();
    private final AtomicLong restored = new AtomicLong();
    private volatile long runningMs = -1;
    private volatile boolean failed;

    private Peer(Args args) {
        this.args = args;
        app = args.get("app", "peer-" + args.word);
        config.put("bootstrap.servers", args.need("bootstrap"));
        config.put("application.id", app);
        config.put("state.dir", args.get("state-dir", "target/state"));
        if (args.has("cache")) config.put("statestore.cache.max.bytes", args.need("cache"));
        if (args.has("commit")) config.put("commit.interval.ms", args.need("commit"));
        if (args.has("eos")) config.put("processing.guarantee", "exactly_once_v2");
        if (args.has("threads")) config.put("num.stream.threads", args.need("threads"));
        if (args.has("standbys")) config.put("num.standby.replicas", args.need("standbys"));
        args.overrides(config);
    }

    public static void main(String[] argv) throws Exception {
        Peer peer = new Peer(new Args(argv));
        peer.run();
        System.exit(peer.failed ? 1 : 0);
    }

    private void run() throws Exception {
        String[] in = args.need("in").split(",");
        Map<TopicPartition, Long> ends;
        long records = 0;
        int partitions;
        try (Admin admin = admin()) {
            ends = endOffsets(admin, in);
            partitions = (int) ends.keySet().stream().filter(tp -> tp.topic().equals(in[0])).count();
            records = lag(admin, ends);
        }
        long until = args.number("until", records * Topologies.passes(args.word));

        StreamsBuilder builder = new StreamsBuilder();
        Topologies.build(args.word, builder, in, args.get("out", null), partitions);
        KafkaStreams streams = new KafkaStreams(builder.build(config), config);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING && runningMs < 0) runningMs = sinceStart();
            if (now == KafkaStreams.State.ERROR) failed = true;
            if (args.has("serve")) System.out.printf("{\"event\":\"%s\",\"epoch_ms\":%d}%n", now, System.currentTimeMillis());
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setGlobalStateRestoreListener(new RestoreCounter());
        streams.start();
        if (args.has("serve")) serve(streams);
        else drain(streams, records, until, ends);
    }

    /** Runs until a termination signal arrives. */
    private void serve(KafkaStreams streams) throws InterruptedException {
        CountDownLatch end = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            leave(streams, Duration.ofSeconds(30));
            System.out.printf("{\"cpu_s\":%.3f,\"rss_kib\":%d,\"running_ms\":%d,\"restored\":%d}%n", cpuSeconds(), peakRssKib(), runningMs, restored.get());
            System.out.flush();
        }));
        end.await();
    }

    private void drain(KafkaStreams streams, long records, long until, Map<TopicPartition, Long> ends) throws Exception {
        boolean restoreOnly = args.word.equals("restore");
        long firstOutputMs = -1;
        long firstMs = -1;
        long halfAt = -1;
        double halfCpu = 0;
        long done = 0;
        long changedMs = 0;
        List<Metric> processTotals = List.of();
        List<Metric> sendTotals = List.of();
        while (!failed) {
            if (processTotals.isEmpty() || sendTotals.isEmpty() || runningMs < 0) {
                Map<MetricName, ? extends Metric> all = streams.metrics();
                processTotals = named(all, "process-total", "stream-thread-metrics");
                sendTotals = named(all, "record-send-total", "producer-metrics");
            }
            long before = done;
            done = sum(processTotals);
            if (done != before) changedMs = sinceStart();
            if (firstMs < 0 && done > 0) firstMs = sinceStart();
            if (firstOutputMs < 0 && sum(sendTotals) > 0) firstOutputMs = sinceStart();
            if (halfAt < 0 && done >= until / 2) {
                halfAt = done;
                halfCpu = cpuSeconds();
            }
            boolean settled = Topologies.isCounted(args.word) || sinceStart() - changedMs > QUIET_MS;
            if (restoreOnly ? runningMs >= 0 : done >= until && settled) break;
            Thread.sleep(firstOutputMs < 0 ? 10 : 50);
        }
        long drainedMs = sinceStart();
        long sent = sum(sendTotals);
        leave(streams, Duration.ofMinutes(5));
        double cpu = cpuSeconds();
        long wall = sinceStart();
        sent = Math.max(sent, sum(sendTotals));
        long lag = -1;
        if (!restoreOnly && !args.has("until")) {
            try (Admin admin = admin()) {
                lag = lag(admin, ends);
            }
        }
        // Half of what is not counted nobody knows.
        boolean halved = Topologies.isCounted(args.word) && halfAt >= 0;
        long gcMs = 0;
        long gcs = 0;
        for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans()) {
            gcMs += gc.getCollectionTime();
            gcs += gc.getCollectionCount();
        }
        System.out.printf("{\"workload\":\"%s\",\"records\":%d,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"warm_records\":%d,\"warm_cpu_s\":%.3f,"
                + "\"rss_kib\":%d,\"first_record_ms\":%d,\"first_output_ms\":%d,\"running_ms\":%d,\"drained_ms\":%d,\"produced\":%d,\"restored\":%d,"
                + "\"lag\":%d,\"gc_ms\":%d,\"gcs\":%d}%n",
            args.word, records, wall / 1e3, cpu, halved ? (done - halfAt) / Topologies.passes(args.word) : 0, halved ? cpu - halfCpu : 0,
            peakRssKib(), firstMs, firstOutputMs, runningMs, drainedMs, sent, restored.get(), lag, gcMs, gcs);
    }

    /** Leaves the group, which closing does not do by default; a quick restart under the same id was about 35 s slower without it. */
    private static void leave(KafkaStreams streams, Duration limit) {
        streams.close(CloseOptions.timeout(limit).withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
    }

    private Admin admin() { return Admin.create(Map.of("bootstrap.servers", args.need("bootstrap"))); }

    /** Records between what the group has committed and the ends; a group that is new has committed nothing. */
    private long lag(Admin admin, Map<TopicPartition, Long> ends) throws Exception {
        var committed = admin.listConsumerGroupOffsets(app).partitionsToOffsetAndMetadata().get(30, TimeUnit.SECONDS);
        return ends.entrySet().stream().mapToLong(e -> e.getValue() - (committed.get(e.getKey()) == null ? 0 : committed.get(e.getKey()).offset())).sum();
    }

    private static Map<TopicPartition, Long> endOffsets(Admin admin, String[] topics) throws Exception {
        Map<TopicPartition, OffsetSpec> ask = new HashMap<>();
        for (var topic : admin.describeTopics(List.of(topics)).allTopicNames().get().values()) {
            for (var partition : topic.partitions()) ask.put(new TopicPartition(topic.name(), partition.partition()), OffsetSpec.latest());
        }
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(ask).all().get().forEach((tp, info) -> ends.put(tp, info.offset()));
        return ends;
    }

    private static List<Metric> named(Map<MetricName, ? extends Metric> all, String name, String group) {
        List<Metric> found = new ArrayList<>();
        all.forEach((id, metric) -> {
            if (id.name().equals(name) && id.group().equals(group)) found.add(metric);
        });
        return found;
    }

    private static long sum(List<Metric> metrics) {
        double sum = 0;
        for (Metric metric : metrics) sum += (Double) metric.metricValue();
        return (long) sum;
    }

    private static long sinceStart() { return System.currentTimeMillis() - START_MS; }

    private static double cpuSeconds() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    private static long peakRssKib() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D+", ""));
            }
        } catch (java.io.IOException e) {
            return -1;
        }
        return -1;
    }

    private final class RestoreCounter implements StateRestoreListener {
        @Override public void onRestoreStart(TopicPartition partition, String store, long from, long to) { }

        @Override public void onBatchRestored(TopicPartition partition, String store, long end, long count) { restored.addAndGet(count); }

        @Override public void onRestoreEnd(TopicPartition partition, String store, long total) { }
    }
}
