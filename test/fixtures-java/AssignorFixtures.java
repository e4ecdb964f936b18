// Writes fixtures/groups/assignors.json: groups made by chance (a fixed seed), what each member
// subscribed to as Kafka's ConsumerProtocol serialises it, and what Kafka's assignors make of it.
//
//   java -cp <jars> AssignorFixtures.java OUT-FILE
//
// Each group goes through rounds: members come and go, and own what the round before gave them.

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;

public class AssignorFixtures {
  static final Random random = new Random(848);

  static AbstractPartitionAssignor make(String name) {
    return switch (name) {
      case "range" -> new RangeAssignor();
      case "roundrobin" -> new RoundRobinAssignor();
      case "sticky" -> new StickyAssignor();
      default -> new CooperativeStickyAssignor();
    };
  }

  static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }

  static String json(List<TopicPartition> partitions) {
    StringBuilder text = new StringBuilder("[");
    for (TopicPartition one : partitions) {
      if (text.length() > 1) text.append(",");
      text.append("[\"").append(one.topic()).append("\",").append(one.partition()).append("]");
    }
    return text.append("]").toString();
  }

  static List<String> someOf(List<String> all, boolean isEqual) {
    if (isEqual) return all;
    List<String> some = new ArrayList<>();
    for (String one : all) if (random.nextInt(3) > 0) some.add(one);
    return some.isEmpty() ? all : some;
  }

  public static void main(String[] arguments) throws Exception {
    List<String> lines = new ArrayList<>();
    for (String name : List.of("range", "roundrobin", "sticky", "cooperative-sticky")) {
      for (int group = 0; group < 8; group++) rounds(name, group % 2 == 0, lines);
    }
    Files.createDirectories(Path.of(arguments[0]).getParent());
    Files.writeString(Path.of(arguments[0]), "[\n" + String.join(",\n", lines) + "\n]\n");
  }

  static void rounds(String name, boolean isEqual, List<String> lines) {
    Map<String, Integer> counts = new TreeMap<>();
    int topics = 1 + random.nextInt(4);
    for (int topic = 0; topic < topics; topic++) counts.put("t" + topic, 1 + random.nextInt(9));
    List<String> all = new ArrayList<>(counts.keySet());
    Map<String, List<String>> members = new LinkedHashMap<>();
    Map<String, AbstractPartitionAssignor> assignorOf = new LinkedHashMap<>();
    Map<String, List<TopicPartition>> owned = new LinkedHashMap<>();
    int next = 0;
    boolean isCooperative = name.equals("cooperative-sticky");
    for (int generation = 1; generation <= 4; generation++) {
      if (generation > 1 && members.size() > 1 && random.nextBoolean()) {
        members.remove(new ArrayList<>(members.keySet()).get(random.nextInt(members.size())));
      }
      for (int more = 1 + random.nextInt(3); more > 0; more--) {
        String id = String.format("m%02d", next++);
        members.put(id, someOf(all, isEqual));
        assignorOf.put(id, make(name));
      }
      Map<String, Subscription> subscriptions = new LinkedHashMap<>();
      StringBuilder text = new StringBuilder();
      for (String id : members.keySet()) {
        List<TopicPartition> has = owned.getOrDefault(id, List.of());
        List<String> topicsOf = members.get(id);
        ByteBuffer userData = assignorOf.get(id).subscriptionUserData(Set(topicsOf));
        Subscription subscription = new Subscription(topicsOf, userData,
            isCooperative ? has : List.of(), generation - 1, Optional.empty());
        String instance = random.nextInt(4) == 0 ? "i" + (99 - Integer.parseInt(id.substring(1))) : null;
        subscription.setGroupInstanceId(Optional.ofNullable(instance));
        subscriptions.put(id, subscription);
        short version = (short) (isCooperative ? 1 + random.nextInt(3) : random.nextInt(4));
        if (text.length() > 0) text.append(",");
        text.append(String.format(
            "{\"memberId\":\"%s\",\"instanceId\":%s,\"topics\":%s,\"owned\":%s,\"version\":%d,\"metadata\":\"%s\"}",
            id, instance == null ? "null" : "\"" + instance + "\"", strings(topicsOf), json(has), version,
            hex(ConsumerProtocol.serializeSubscription(subscription, version))));
      }
      Map<String, List<TopicPartition>> result =
          make(name).assign(subscribed(counts, members), subscriptions);
      StringBuilder results = new StringBuilder();
      owned.clear();
      for (String id : members.keySet()) {
        List<TopicPartition> assigned = result.get(id);
        owned.put(id, assigned);
        Assignment assignment = new Assignment(assigned);
        assignorOf.get(id).onAssignment(assignment,
            new ConsumerGroupMetadata("g", generation, id, Optional.empty()));
        if (results.length() > 0) results.append(",");
        results.append(String.format("\"%s\":{\"partitions\":%s,\"bytes\":\"%s\"}", id, json(assigned),
            hex(ConsumerProtocol.serializeAssignment(assignment))));
      }
      List<String> sizes = new ArrayList<>();
      counts.forEach((topic, count) -> sizes.add("\"" + topic + "\":" + count));
      lines.add(String.format("{\"assignor\":\"%s\",\"counts\":{%s},\"members\":[%s],\n  \"assignment\":{%s}}",
          name, String.join(",", sizes), text, results));
    }
  }

  /** Kafka's leader asks for the topics alone that somebody is subscribed to. */
  static Map<String, Integer> subscribed(
      Map<String, Integer> counts, Map<String, List<String>> members) {
    Map<String, Integer> some = new TreeMap<>(counts);
    some.keySet().removeIf(
        topic -> members.values().stream().noneMatch(topics -> topics.contains(topic)));
    return some;
  }

  static java.util.Set<String> Set(List<String> topics) {
    return new java.util.TreeSet<>(topics);
  }

  static String strings(List<String> texts) {
    return "[\"" + String.join("\",\"", texts) + "\"]";
  }
}
