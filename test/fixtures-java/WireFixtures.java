// Writes fixtures/wire: every version of every message, filled with deterministic values and
// serialised by Kafka's own message classes, each with the values that those classes read back.
//
//   java -cp <jars> WireFixtures.java OUT-FOLDER KAFKA-VERSION
//
// A file holds bodies alone, without header, in three variants of three lines each: `# variant`,
// the bytes in hex, the values as JSON (bytes as hex, uuids as Kafka prints them; a field that the
// version lacks has its default). The newest Kafka is run first, into a folder that does not exist;
// an older one then adds the versions that the newest has dropped, to files that stay as they are.

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

public class WireFixtures {
  enum Variant { FILLED, EMPTY, EDGE }

  /** Between brokers and controllers only, or gone with ZooKeeper. */
  static final Set<Integer> UNUSED = Set.of(
      4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 80, 81, 82, 83, 84, 85, 86, 87);

  final Path out;
  final String kafkaVersion;
  /** Counts the values given out in one message, so that they differ. */
  int counter;
  int written;

  WireFixtures(Path out, String kafkaVersion) {
    this.out = out;
    this.kafkaVersion = kafkaVersion;
  }

  public static void main(String[] arguments) throws Exception {
    Path out = Path.of(arguments[0]);
    WireFixtures fixtures = new WireFixtures(out, arguments[1]);
    boolean isNewest = !Files.exists(out);
    for (ApiMessageType api : ApiMessageType.values()) {
      if (UNUSED.contains((int) api.apiKey())) continue;
      Path folder = Path.of(kebab(api.name));
      if (!isNewest && !Files.exists(out.resolve(folder))) continue;
      for (int v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(false); v++) {
        fixtures.write(folder.resolve("v" + v + ".req.hex"), api.newRequest(), v);
        fixtures.write(folder.resolve("v" + v + ".res.hex"), api.newResponse(), v);
      }
    }
    if (isNewest) {
      fixtures.writeAll("request-header", new RequestHeaderData());
      fixtures.writeAll("response-header", new ResponseHeaderData());
      fixtures.writeMetadataRecords();
    }
    System.out.println(fixtures.written + " files from kafka-clients " + arguments[1]);
  }

  /** The records of the metadata log, without their frame. */
  void writeMetadataRecords() throws Exception {
    Class<?> types = Class.forName("org.apache.kafka.common.metadata.MetadataRecordType");
    for (Object type : types.getEnumConstants()) {
      Message record = (Message) types.getMethod("newMetadataRecord").invoke(type);
      writeAll("metadata-records/" + kebab(record.getClass().getSimpleName()), record);
    }
  }

  void writeAll(String folder, Message message) throws Exception {
    for (int v = message.lowestSupportedVersion(); v <= message.highestSupportedVersion(); v++) {
      write(Path.of(folder, "v" + v + ".hex"), message, v);
    }
  }

  void write(Path name, Message prototype, int version) throws Exception {
    Path file = out.resolve(name);
    if (Files.exists(file)) return;
    StringBuilder text = new StringBuilder();
    for (Variant variant : Variant.values()) {
      counter = 0;
      Message message = create(prototype.getClass());
      fill(message, version, variant);
      ByteBuffer bytes = serialise(message, version);
      Message back = create(prototype.getClass());
      back.read(new ByteBufferAccessor(bytes.duplicate()), (short) version);
      text.append("# ").append(variant.name().toLowerCase(Locale.ROOT));
      text.append(" (Kafka ").append(kafkaVersion).append(")\n");
      text.append(hex(bytes)).append('\n').append(json(back)).append('\n');
    }
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    written++;
  }

  static ByteBuffer serialise(Message message, int version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, (short) version));
    message.write(new ByteBufferAccessor(bytes), cache, (short) version);
    if (bytes.hasRemaining()) throw new IllegalStateException("size of " + message);
    return bytes.flip();
  }

  /** Gives a value to every field that the version has. */
  void fill(Message message, int version, Variant variant) throws Exception {
    Schema[] schemas = (Schema[]) message.getClass().getField("SCHEMAS").get(null);
    for (BoundField bound : schemas[version].fields()) {
      if (bound.def.type instanceof TaggedFields tagged) {
        for (org.apache.kafka.common.protocol.types.Field field : fieldsOf(tagged)) {
          fillField(message, field, version, variant);
        }
      } else {
        fillField(message, bound.def, version, variant);
      }
    }
  }

  /** The fields of a tagged section; older versions of Kafka have no method for it. */
  @SuppressWarnings("unchecked")
  static Collection<org.apache.kafka.common.protocol.types.Field> fieldsOf(TaggedFields tagged)
      throws Exception {
    Field fields = TaggedFields.class.getDeclaredField("fields");
    fields.setAccessible(true);
    return ((Map<Integer, org.apache.kafka.common.protocol.types.Field>) fields.get(tagged)).values();
  }

  void fillField(
      Message message,
      org.apache.kafka.common.protocol.types.Field declared,
      int version,
      Variant variant) throws Exception {
    Field field = valuesOf(message.getClass()).stream()
        .filter(candidate -> snake(candidate.getName()).equals(declared.name))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException(message.getClass() + " has no " + declared.name));
    if (variant == Variant.EMPTY && declared.type.isNullable()) {
      field.set(message, null);
      return;
    }
    boolean isUnsigned = declared.type.toString().equals("UINT16");
    field.set(message, value(field.getGenericType(), isUnsigned, version, variant));
  }

  Object value(Type type, boolean isUnsigned, int version, Variant variant) throws Exception {
    boolean isEmpty = variant == Variant.EMPTY;
    boolean isEdge = variant == Variant.EDGE;
    int n = isEmpty ? 0 : ++counter;
    boolean isOdd = n % 2 == 1;
    if (type == boolean.class || type == Boolean.class) return !isEmpty && (isEdge || isOdd);
    if (type == byte.class || type == Byte.class) {
      return (byte) (isEdge ? (isOdd ? Byte.MIN_VALUE : Byte.MAX_VALUE) : n % 100);
    }
    if (type == short.class || type == Short.class) {
      return (short) (isEdge ? (isOdd ? Short.MIN_VALUE : Short.MAX_VALUE) : n * 7);
    }
    if (type == int.class || type == Integer.class) {
      if (isUnsigned) return isEdge ? 0xffff : n * 9;
      return isEdge ? (isOdd ? Integer.MIN_VALUE : Integer.MAX_VALUE) : n * 70_001;
    }
    if (type == long.class || type == Long.class) {
      long[] edges = {Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) - 1, -(1L << 53)};
      return isEdge ? edges[n % 4] : n * 1_234_567_890_123L;
    }
    if (type == double.class) return isEdge ? -1.0e300 : n / 8.0;
    if (type == String.class) {
      if (isEmpty) return "";
      return isEdge ? (isOdd ? "ä\u2192\uD83D\uDE80 \"\\\n" + n : "long-".repeat(40) + n) : "text-" + n;
    }
    if (type == Uuid.class) {
      return isEmpty ? Uuid.ZERO_UUID : new Uuid(isEdge ? -1L : n * 0x0102030405060708L, n);
    }
    if (type == byte[].class) return bytes(n, variant);
    if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes(n, variant));
    if (type.getTypeName().endsWith(".BaseRecords")) return records(bytes(n, variant));
    Class<?> owner = (Class<?>) (type instanceof ParameterizedType p ? p.getRawType() : type);
    if (Collection.class.isAssignableFrom(owner)) return list(owner, type, version, variant);
    Message struct = create(owner);
    fill(struct, version, variant);
    return struct;
  }

  byte[] bytes(int n, Variant variant) {
    byte[] bytes = new byte[variant == Variant.EMPTY ? 0 : variant == Variant.EDGE ? 130 : 5];
    Arrays.fill(bytes, (byte) n);
    return bytes;
  }

  /** MemoryRecords over any bytes; the class has moved between versions of Kafka. */
  static Object records(byte[] bytes) throws Exception {
    Class<?> type;
    try {
      type = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
    } catch (ClassNotFoundException older) {
      type = Class.forName("org.apache.kafka.common.record.MemoryRecords");
    }
    return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
  }

  @SuppressWarnings("unchecked")
  Object list(Class<?> owner, Type type, int version, Variant variant) throws Exception {
    Collection<Object> list =
        owner == List.class ? new ArrayList<>() : (Collection<Object>) owner.getConstructor().newInstance();
    Type holder = owner == List.class ? type : owner.getGenericSuperclass();
    Type element = ((ParameterizedType) holder).getActualTypeArguments()[0];
    int count = variant == Variant.EMPTY ? 0 : variant == Variant.EDGE ? 1 : 2;
    for (int i = 0; i < count; i++) list.add(value(element, false, version, variant));
    return list;
  }

  static Message create(Class<?> type) throws Exception {
    return (Message) type.getConstructor().newInstance();
  }

  /** The fields of a message class that hold values of the message. */
  static List<Field> valuesOf(Class<?> type) {
    return Arrays.stream(type.getDeclaredFields())
        .filter(field -> !Modifier.isStatic(field.getModifiers()))
        .filter(field -> !Set.of("_unknownTaggedFields", "next", "prev").contains(field.getName()))
        .peek(field -> field.setAccessible(true))
        .collect(Collectors.toList());
  }

  static String json(Object value) throws Exception {
    if (value == null) return "null";
    if (value instanceof String text) return quoted(text);
    if (value instanceof Boolean || value instanceof Number) return value.toString();
    if (value instanceof Uuid uuid) return quoted(uuid.toString());
    if (value instanceof byte[] bytes) return quoted(hex(ByteBuffer.wrap(bytes)));
    if (value instanceof ByteBuffer bytes) return quoted(hex(bytes));
    if (value.getClass().getSimpleName().equals("MemoryRecords")) {
      return quoted(hex((ByteBuffer) value.getClass().getMethod("buffer").invoke(value)));
    }
    List<String> parts = new ArrayList<>();
    if (value instanceof Collection<?> list) {
      for (Object element : list) parts.add(json(element));
      return "[" + String.join(",", parts) + "]";
    }
    for (Field field : valuesOf(value.getClass())) {
      parts.add(quoted(field.getName()) + ":" + json(field.get(value)));
    }
    return "{" + String.join(",", parts) + "}";
  }

  static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }

  static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }

  /** As Kafka's generator names the fields of a schema. */
  static String snake(String camelCase) {
    return camelCase.replaceAll("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
  }

  static String kebab(String name) {
    return name.replaceAll("(?<!^)(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
  }
}
