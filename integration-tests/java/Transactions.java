import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes interleaved transactions, which are committed and aborted, and records of none.
 * Run from its source: {@code java -cp 'LIBS/*' Transactions.java BOOTSTRAP TOPIC PARTITIONS}. Of each record it says on standard
 * error {@code FATE PARTITION OFFSET VALUE}. It ends with a transaction open, which the coordinator aborts after its time.
 */
public final class Transactions {
    private static final int ROUNDS = 30;
    private static final String ABANDONED_AFTER_MS = "5000";

    private Transactions() { }

    public static void main(String[] args) throws Exception {
        int partitions = Integer.parseInt(args[2]);
        Writer plain = new Writer(args[0], args[1], null, "none");
        Writer brief = new Writer(args[0], args[1], "brief", "none");
        Writer packed = new Writer(args[0], args[1], "packed", "gzip");
        Writer lengthy = new Writer(args[0], args[1], "lengthy", "none");
        Writer abandoned = new Writer(args[0], args[1], "abandoned", "none");
        for (int round = 0; round < ROUNDS; round++) {
            if (round % 5 == 0) {
                lengthy.begin();
            }
            brief.begin();
            packed.begin();
            for (int record = 0; record < 4; record++) {
                for (Writer writer : Arrays.asList(brief, plain, lengthy, packed)) {
                    writer.send(partitions, round);
                }
            }
            brief.end(round % 2 == 0);
            packed.end(round % 3 == 0);
            if (round % 5 == 4) {
                lengthy.end(round % 2 == 0);
            }
        }
        abandoned.begin();
        abandoned.send(partitions, ROUNDS);
        for (int record = 0; record < 4; record++) {
            plain.send(partitions, ROUNDS);
        }
        // Markers are the last of some partitions alone.
        brief.begin();
        brief.send(1, ROUNDS);
        brief.end(false);
        plain.tell("plain");
        abandoned.tell("aborted");
        System.err.flush();
        // Without closing anything.
        Runtime.getRuntime().halt(0);
    }

    /** A producer, and what it has sent and not told of yet. */
    private static final class Writer {
        private final KafkaProducer<String, String> producer;
        private final String topic;
        private final String name;
        private final List<String> values = new ArrayList<>();
        private final List<Future<RecordMetadata>> sent = new ArrayList<>();
        private int number;

        Writer(String bootstrap, String topic, String name, String compression) {
            Map<String, Object> settings = new HashMap<>();
            settings.put("bootstrap.servers", bootstrap);
            settings.put("compression.type", compression);
            settings.put("linger.ms", "0");
            if (name != null) {
                settings.put("transactional.id", topic + "-" + name);
                settings.put("transaction.timeout.ms", name.equals("abandoned") ? ABANDONED_AFTER_MS : "60000");
            }
            this.producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
            this.topic = topic;
            this.name = name == null ? "plain" : name;
            if (name != null) {
                producer.initTransactions();
            }
        }

        void begin() {
            producer.beginTransaction();
        }

        /** One record to each partition. */
        void send(int partitions, int round) {
            for (int partition = 0; partition < partitions; partition++) {
                String value = name + "-" + round + "-" + number++;
                values.add(value);
                sent.add(producer.send(new ProducerRecord<>(topic, partition, null, value)));
            }
            // So that the records of all lie between each other.
            producer.flush();
        }

        void end(boolean commit) throws Exception {
            if (commit) {
                producer.commitTransaction();
            } else {
                producer.flush();
                producer.abortTransaction();
            }
            tell(commit ? "committed" : "aborted");
        }

        void tell(String fate) throws Exception {
            for (int record = 0; record < sent.size(); record++) {
                RecordMetadata at = sent.get(record).get();
                System.err.println(fate + " " + at.partition() + " " + at.offset() + " " + values.get(record));
            }
            values.clear();
            sent.clear();
        }
    }
}
