import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads topics without any group. */
final class Reader {
    private Reader() { }

    static KafkaConsumer<byte[], byte[]> consumer(Args args) {
        Properties config = new Properties();
        config.put("bootstrap.servers", args.need("bootstrap"));
        config.put("isolation.level", args.get("isolation", "read_committed"));
        config.put("enable.auto.commit", "false");
        config.put("max.poll.records", "5000");
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        return consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).collect(Collectors.toList());
    }

    interface Each {
        void record(ConsumerRecord<byte[], byte[]> record);
    }

    /** Calls {@code each} for every record that the topic has now. */
    static void all(Args args, String topic, Each each) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(args)) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(tp -> consumer.position(tp) < ends.get(tp))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) each.record(record);
            }
        }
    }
}
