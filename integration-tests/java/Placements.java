import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;

import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.processor.assignment.AssignmentConfigs;
import org.apache.kafka.streams.processor.assignment.ProcessId;
import org.apache.kafka.streams.processor.internals.assignment.ClientState;
import org.apache.kafka.streams.processor.internals.assignment.HighAvailabilityTaskAssignor;
import org.apache.kafka.streams.processor.internals.assignment.RackAwareTaskAssignor;

/**
 * Where Java's HighAvailabilityTaskAssignor puts the tasks of random groups, a line each: `Placements SEED CASES`.
 *
 * acceptable lag, warm-ups, standbys; stateless tasks; for each process its id, threads and the lags of all stateful tasks; whether it
 * looks again; for each process its active and its standby tasks.
 */
public final class Placements {
    public static void main(final String[] arguments) {
        final Random random = new Random(Long.parseLong(arguments[0]));
        for (int left = Integer.parseInt(arguments[1]); left > 0; left--) {
            System.out.println(draw(random));
        }
    }

    private static String draw(final Random random) {
        final Set<TaskId> stateful = tasks(random, 0, 3, 6);
        final Set<TaskId> stateless = tasks(random, 3, 2, 5);
        final long acceptable = new long[] {0, 100, 10_000, Long.MAX_VALUE}[random.nextInt(4)];
        final int warmups = 1 + random.nextInt(3);
        final int standbys = random.nextInt(3);
        final Map<ProcessId, ClientState> clients = new TreeMap<>();
        final int processes = 1 + random.nextInt(6);
        while (clients.size() < processes) {
            final ProcessId id = new ProcessId(new UUID(random.nextLong(), random.nextLong()));
            clients.put(id, null);
        }
        final Map<TaskId, ProcessId> running = new TreeMap<>();
        final List<ProcessId> ids = new ArrayList<>(clients.keySet());
        // Sometimes all of them are where a few processes were before others came.
        final int old = 1 + random.nextInt(ids.size());
        for (final TaskId task : stateful) {
            if (random.nextInt(8) > 0) {
                running.put(task, ids.get(random.nextInt(old)));
            }
        }
        for (final ProcessId id : ids) {
            final Map<TaskId, Long> lags = new TreeMap<>();
            for (final TaskId task : stateful) {
                lags.put(task, lag(random, id.equals(running.get(task))));
            }
            clients.put(id, new ClientState(Set.of(), Set.of(), lags, Map.of(), 1 + random.nextInt(3), id));
        }
        final StringBuilder line = new StringBuilder();
        line.append(acceptable).append(' ').append(warmups).append(' ').append(standbys).append(';').append(text(stateless));
        for (final Map.Entry<ProcessId, ClientState> client : clients.entrySet()) {
            final String lags = client.getValue().taskLagTotals().entrySet().stream()
                .map(lag -> lag.getKey() + "=" + lag.getValue()).collect(Collectors.joining(" "));
            line.append(';').append(client.getKey().id()).append(' ').append(client.getValue().capacity()).append(' ').append(lags);
        }
        final AssignmentConfigs configs = new AssignmentConfigs(
            acceptable, warmups, standbys, 60_000L, List.of(), OptionalInt.empty(), OptionalInt.empty(), "none");
        final RackAwareTaskAssignor racks = new RackAwareTaskAssignor(
            Cluster.empty(), Map.of(), Map.of(), Map.of(), Map.of(), null, configs, Time.SYSTEM);
        final Set<TaskId> all = new HashSet<>(stateful);
        all.addAll(stateless);
        final boolean again = new HighAvailabilityTaskAssignor().assign(clients, all, stateful, racks, configs);
        line.append(';').append(again);
        for (final ClientState client : clients.values()) {
            line.append(';').append(text(client.activeTasks())).append('/').append(text(client.standbyTasks()));
        }
        return line.toString();
    }

    private static Set<TaskId> tasks(final Random random, final int first, final int subtopologies, final int partitions) {
        final Set<TaskId> tasks = new TreeSet<>();
        for (int subtopology = first; subtopology < first + subtopologies; subtopology++) {
            for (int partition = random.nextInt(partitions + 1) - 1; partition >= 0; partition--) {
                tasks.add(new TaskId(subtopology, partition));
            }
        }
        return tasks;
    }

    /** -2 where it runs, -3 where nobody knows. */
    private static long lag(final Random random, final boolean runs) {
        if (runs) {
            return -2;
        }
        switch (random.nextInt(8)) {
            case 0: return -3;
            case 1: return 0;
            case 2: return random.nextInt(200);
            case 3: return random.nextInt(20_000);
            default: return 50_000;
        }
    }

    private static String text(final Set<TaskId> tasks) {
        return new TreeSet<>(tasks).stream().map(TaskId::toString).collect(Collectors.joining(" "));
    }

    private Placements() {
    }
}
