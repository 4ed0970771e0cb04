import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.TaskMetadata;
import org.apache.kafka.streams.ThreadMetadata;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * The word count of crates/headwater/examples/word_count, in Java: the same topology, so that instances of both share a group.
 * Run from its source: {@code java -cp 'LIBS/*' WordCount.java BOOTSTRAP INPUT OUTPUT [KEY=VALUE]...}; SIGTERM closes it and
 * has it leave the group. What happens to its tasks it says on standard error, in the words of ours.
 */
public final class WordCount {
    private static final Pattern BETWEEN_WORDS = Pattern.compile("[^\\p{IsAlphabetic}\\p{IsDigit}]+");
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final Duration LOOK = Duration.ofMillis(50);

    private WordCount() { }

    public static void main(String[] args) throws InterruptedException {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        for (String setting : Arrays.copyOfRange(args, 3, args.length)) {
            String[] pair = setting.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        KafkaStreams streams = new KafkaStreams(wordCount(args[1], args[2]), settings);
        streams.setGlobalStateRestoreListener(new Restored());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean closed = streams.close(
                CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP).withTimeout(PATIENCE));
            Runtime.getRuntime().halt(closed ? 0 : 1);
        }));
        streams.start();
        String told = "";
        while (streams.state() != KafkaStreams.State.ERROR) {
            String running = streams.metadataForLocalThreads().stream().map(WordCount::tasks).collect(Collectors.joining("; "));
            if (!running.equals(told)) {
                System.err.println(running);
                told = running;
            }
            Thread.sleep(LOOK.toMillis());
        }
        Runtime.getRuntime().halt(1);
    }

    private static Topology wordCount(String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(input, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> words(line))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            // Given a Materialized without a name, Java would use up one number more.
            .count()
            .toStream()
            .to(output, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    private static Iterable<String> words(String line) {
        return BETWEEN_WORDS.splitAsStream(line).filter(word -> !word.isEmpty())
            .map(word -> word.toLowerCase(Locale.ROOT)).collect(Collectors.toList());
    }

    /** The tasks of a thread, as far as they process or are kept up to date. */
    private static String tasks(ThreadMetadata thread) {
        return "tasks " + (thread.threadState().equals("RUNNING") ? "running" : thread.threadState())
            + " active=\"" + names(thread.activeTasks()) + "\" standby=\"" + names(thread.standbyTasks()) + "\"";
    }

    private static String names(Collection<TaskMetadata> tasks) {
        return tasks.stream().map(task -> task.taskId().toString()).sorted().collect(Collectors.joining(", "));
    }

    /** Tells of each store that was restored for an active task. */
    private static final class Restored implements StateRestoreListener {
        private final Map<TopicPartition, long[]> ranges = new HashMap<>();

        @Override
        public synchronized void onRestoreStart(TopicPartition partition, String store, long from, long to) {
            ranges.put(partition, new long[] {from, to});
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long end, long restored) { }

        @Override
        public synchronized void onRestoreEnd(TopicPartition partition, String store, long records) {
            long[] range = ranges.remove(partition);
            System.err.printf("restored a store task=1_%d store=%s changelog=%s from=%d to=%d records=%d%n",
                partition.partition(), store, partition, range[0], range[1], records);
        }
    }
}
