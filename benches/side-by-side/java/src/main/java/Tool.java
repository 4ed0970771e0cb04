import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/** What the runner asks of a cluster beside the contenders: topics, what is in them, and what an outsider sees. README.md names the commands. */
public final class Tool {
    private Tool() { }

    public static void main(String[] argv) throws Exception {
        Args args = new Args(argv);
        switch (args.word) {
            case "create" -> create(args);
            case "delete" -> delete(args);
            case "ends" -> ends(args);
            case "digest" -> Digest.run(args);
            case "demand" -> Demand.run(args);
            case "watch" -> Outsider.watch(args);
            case "drive" -> Outsider.drive(args);
            default -> throw new IllegalArgumentException("no command " + args.word + ": create, delete, ends, digest, demand, watch, drive");
        }
    }

    private static Admin admin(Args args) { return Admin.create(Map.of("bootstrap.servers", args.need("bootstrap"))); }

    /** Creates {@code --topic} with {@code --partitions}. */
    private static void create(Args args) throws Exception {
        try (Admin admin = admin(args)) {
            admin.createTopics(List.of(new NewTopic(args.need("topic"), Optional.of((int) args.number("partitions", 4)), Optional.of((short) 1)))).all().get();
        }
    }

    private static List<String> topics(Admin admin, String prefix) throws Exception {
        return admin.listTopics().names().get().stream().filter(name -> name.startsWith(prefix)).collect(Collectors.toList());
    }

    /** Deletes every topic whose name begins with {@code --prefix}. */
    private static void delete(Args args) throws Exception {
        try (Admin admin = admin(args)) {
            admin.deleteTopics(topics(admin, args.need("prefix"))).all().get();
        }
    }

    /** Prints how many records every topic has whose name begins with {@code --prefix}: end minus begin offsets. */
    private static void ends(Args args) throws Exception {
        try (Admin admin = admin(args)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (var topic : admin.describeTopics(topics(admin, args.need("prefix"))).allTopicNames().get().values()) {
                for (var partition : topic.partitions()) partitions.add(new TopicPartition(topic.name(), partition.partition()));
            }
            Map<String, Long> sums = new TreeMap<>();
            add(admin, partitions, OffsetSpec.latest(), 1, sums);
            add(admin, partitions, OffsetSpec.earliest(), -1, sums);
            System.out.println(sums.entrySet().stream().map(e -> "\"" + e.getKey() + "\":" + e.getValue()).collect(Collectors.joining(",", "{", "}")));
        }
    }

    private static void add(Admin admin, List<TopicPartition> partitions, OffsetSpec which, long sign, Map<String, Long> sums) throws Exception {
        var offsets = admin.listOffsets(partitions.stream().collect(Collectors.toMap(tp -> tp, tp -> which))).all().get();
        offsets.forEach((tp, info) -> sums.merge(tp.topic(), sign * info.offset(), Long::sum));
    }
}
