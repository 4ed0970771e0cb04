package conformance;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.StreamsMetrics;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.Punctuator;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.processor.api.ProcessingContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Transformers of a table's values: an expression, or a processor of the format. */
final class Transformers {
    private Transformers() { }

    static ValueTransformerWithKeySupplier<Object, Object, Object> stateless(final Expr value) {
        return () -> new ValueTransformerWithKey<>() {
            @Override
            public void init(final ProcessorContext context) { }

            @Override
            public Object transform(final Object k, final Object v) {
                return value.eval(Expr.Scope.kv(k, v));
            }

            @Override
            public void close() { }
        };
    }

    /** The result is the value that the processor forwards last, null when it forwards nothing. */
    static ValueTransformerWithKeySupplier<Object, Object, Object> supplier(final JsonNode p) {
        Processors.create(p);
        return () -> new ValueTransformerWithKey<>() {
            private final Processors.Body body = Processors.create(p);
            private ProcessorContext context;
            private Object last;

            @Override
            public void init(final ProcessorContext c) {
                context = c;
                body.context = new Context(c);
                body.out = (r, child) -> last = r.value();
                body.init();
            }

            @Override
            public Object transform(final Object k, final Object v) {
                last = null;
                // A record copies the headers that it is made with; these are the context's own.
                body.process(new Record<>(k, v, Math.max(context.timestamp(), 0)) {
                    @Override
                    public Headers headers() {
                        return context.headers();
                    }
                });
                return last;
            }

            @Override
            public void close() { }
        };
    }

    /** The context of a transformer as processors have it. */
    private static final class Context implements ProcessingContext {
        private final ProcessorContext of;

        private Context(final ProcessorContext of) {
            this.of = of;
        }

        @Override
        public Optional<RecordMetadata> recordMetadata() {
            final String topic = of.topic();
            final int partition = of.partition();
            final long offset = of.offset();
            return Optional.of(new RecordMetadata() {
                @Override
                public String topic() {
                    return topic;
                }

                @Override
                public int partition() {
                    return partition;
                }

                @Override
                public long offset() {
                    return offset;
                }
            });
        }

        @Override
        public <S extends StateStore> S getStateStore(final String name) {
            return of.getStateStore(name);
        }

        @Override
        public Cancellable schedule(final Duration every, final PunctuationType type, final Punctuator fn) {
            return of.schedule(every, type, fn);
        }

        @Override
        public Cancellable schedule(final Instant start, final Duration every, final PunctuationType type, final Punctuator fn) {
            return of.schedule(start, every, type, fn);
        }

        @Override
        public void commit() {
            of.commit();
        }

        @Override
        public long currentSystemTimeMs() {
            return of.currentSystemTimeMs();
        }

        @Override
        public long currentStreamTimeMs() {
            return of.currentStreamTimeMs();
        }

        @Override
        public String applicationId() {
            return of.applicationId();
        }

        @Override
        public TaskId taskId() {
            return of.taskId();
        }

        @Override
        public Serde<?> keySerde() {
            return of.keySerde();
        }

        @Override
        public Serde<?> valueSerde() {
            return of.valueSerde();
        }

        @Override
        public File stateDir() {
            return of.stateDir();
        }

        @Override
        public StreamsMetrics metrics() {
            return of.metrics();
        }

        @Override
        public Map<String, Object> appConfigs() {
            return of.appConfigs();
        }

        @Override
        public Map<String, Object> appConfigsWithPrefix(final String prefix) {
            return of.appConfigsWithPrefix(prefix);
        }
    }
}
