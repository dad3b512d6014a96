"""Message classes of the two push protocols, made at run time by the protobuf library from their published fields."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

F = descriptor_pb2.FieldDescriptorProto
TYPES = {
    "string": F.TYPE_STRING,
    "double": F.TYPE_DOUBLE,
    "int64": F.TYPE_INT64,
    "uint64": F.TYPE_UINT64,
    "int32": F.TYPE_INT32,
    "uint32": F.TYPE_UINT32,
    "bytes": F.TYPE_BYTES,
}


def build(package, messages, dependencies=()):
    """messages: {name: [(number, name, type, repeated)]}; a type that is no scalar names a message."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3", dependency=list(dependencies)
    )
    for name, fields in messages.items():
        m = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            f = m.field.add(name=field, number=number, label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
            if kind in TYPES:
                f.type = TYPES[kind]
            else:
                f.type = F.TYPE_MESSAGE
                f.type_name = "." + (kind if "." in kind else f"{package}.{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


# Loki's push API: https://grafana.com/docs/loki - package logproto
LOKI = build(
    "logproto",
    {
        "PushRequest": [(1, "streams", "StreamAdapter", True)],
        "StreamAdapter": [
            (1, "labels", "string", False),
            (2, "entries", "EntryAdapter", True),
            (3, "hash", "uint64", False),
        ],
        "EntryAdapter": [
            (1, "timestamp", "google.protobuf.Timestamp", False),
            (2, "line", "string", False),
            (3, "structured_metadata", "LabelPairAdapter", True),
            (4, "parsed", "LabelPairAdapter", True),
        ],
        "LabelPairAdapter": [(1, "name", "string", False), (2, "value", "string", False)],
    },
    ["google/protobuf/timestamp.proto"],
)

# Prometheus remote write 1.0: https://prometheus.io/docs/specs/prw/remote_write_spec/
REMOTE_WRITE = build(
    "prometheus",
    {
        "WriteRequest": [(1, "timeseries", "TimeSeries", True), (3, "metadata", "MetricMetadata", True)],
        "MetricMetadata": [
            (1, "type", "int32", False),
            (2, "metric_family_name", "string", False),
            (4, "help", "string", False),
            (5, "unit", "string", False),
        ],
        "TimeSeries": [
            (1, "labels", "Label", True),
            (2, "samples", "Sample", True),
            (3, "exemplars", "Exemplar", True),
            (4, "histograms", "Histogram", True),
        ],
        "Label": [(1, "name", "string", False), (2, "value", "string", False)],
        "Sample": [(1, "value", "double", False), (2, "timestamp", "int64", False)],
        "Exemplar": [(1, "labels", "Label", True), (2, "value", "double", False), (3, "timestamp", "int64", False)],
        "Histogram": [(15, "timestamp", "int64", False)],
    },
)
