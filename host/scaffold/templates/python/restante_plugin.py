"""Everything about a Restante formatter plugin in Python but its format.

    import restante_plugin as restante

    def write(batch):
        return restante.Document("text/plain; charset=utf-8", b"...", "lines.txt")

    restante.serve("lines", "1.0.0", [restante.Group("lines", "Lines of text", write)])

serve() does what docs/plugin-protocol.md in Restante's repository asks for. It
needs grpcio 1.49 and protobuf 3.20 or newer, on Debian the packages
python3-grpcio and python3-protobuf, and formatter.proto beside this file.

While it runs, print() goes to the daemon's log, and so does the module logging.
"""

import datetime
import json
import logging
import os
import pkgutil
import re
import signal
import sys
import threading
import traceback
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC reads it when it is loaded

import grpc  # noqa: E402
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2  # noqa: E402, F401

MAX_MESSAGE_BYTES = 64 << 20
MAX_REASON_BYTES = 4000
MAX_ERROR_BYTES = 16 << 10
STOP_SECONDS = 5


# What an author uses.

class Message(NamedTuple):
    id: int
    time: str  # when the daemon accepted it, in UTC: "2019-02-15T10:32:01Z"
    data: bytes  # one JSON value, exactly as it was added


@dataclass(frozen=True)
class Batch:
    group: str
    token: str  # opaque, printable ASCII
    messages: list  # oldest first; may be empty
    settings: dict  # every setting that has a value or a default


@dataclass(frozen=True)
class Document:
    content_type: str
    body: bytes
    filename: str = ""


@dataclass(frozen=True)
class HTTPRequest:
    method: str = ""  # POST
    url: str = ""  # relative to the URL that the operator configured
    headers: list = field(default_factory=list)  # of (name, value)


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    # Called with a Batch, in several threads at the same time. Without it the
    # daemon writes its default format.
    write_messages: Optional[Callable[[Batch], Document]] = None
    description: str = ""
    method: str = "poll"  # or "send"
    schedule: str = ""  # only for "send"
    # Called with a Batch and its Document; only for "send".
    format_http_request: Optional[Callable[[Batch, Document], HTTPRequest]] = None


@dataclass(frozen=True)
class Setting:
    name: str
    type: type  # str, float or bool
    description: str = ""
    default: Any = None
    required: bool = False
    secret: bool = False


class Rejected(Exception):
    """Raise it to say which messages can't be written: Rejected({id: reason})."""

    def __init__(self, reasons):
        super().__init__(f"{len(reasons)} messages rejected")
        self.reasons = dict(reasons)


class Number(str):
    """A number of a JSON text, with the very digits that it was written with."""


def read_json(data):
    """Reads a message's data. Numbers become a Number, as a float would lose digits."""
    return json.loads(data, parse_int=Number, parse_float=Number)


def serve(name, version, groups, settings=(), configure=None):
    """Runs the plugin until the daemon ends it, and then ends the process.

    configure, if there is one, is called with the values of the settings once,
    and raises ValueError if the plugin can't work with them.
    """
    for problem in _not_started_by_a_daemon(name, version):
        sys.exit(problem)
    # Standard output belongs to the handshake; what is printed goes to the log.
    handshake = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)
    level = {"trace": 1, "debug": 10, "warn": 30, "error": 40, "off": 100}
    logging.basicConfig(handlers=[_LogHandler()], level=level.get(os.environ.get("RESTANTE_LOG_LEVEL"), 20))

    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the daemon
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_await_end_of_stdin, args=[stop], daemon=True).start()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=12), options=[
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ])
    server.add_generic_rpc_handlers(_handlers(_Service(name, version, groups, settings, configure), stop))
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "plugin.sock")
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|1|unix|{path}|grpc", file=handshake, flush=True)

    stop.wait()
    server.stop(STOP_SECONDS).wait()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a formatter that is still at work must not hold up the end


# The process.

def _not_started_by_a_daemon(name, version):
    if os.environ.get("RESTANTE_PLUGIN") != "formatter-6f1a7c52":
        yield (f"{name} {version} is a formatter plugin for Restante. It does nothing when it is run by\n"
               "hand: copy it into the daemon's plugin folder, and the daemon starts it.")
    if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "1").split(","):
        yield "this plugin speaks protocol version 1, which the daemon does not"
    if os.environ.get("PLUGIN_CLIENT_CERT"):
        yield "the daemon asks for TLS, which this plugin does not speak"


def _await_end_of_stdin(stop):
    """Sees the daemon's end, however it ended."""
    while os.read(0, 4096):
        pass
    stop.set()


class _LogHandler(logging.Handler):
    """Writes records as the JSON lines that the daemon's log takes over."""

    def emit(self, record):
        level = {30: "warn", 40: "error", 50: "error"}.get(record.levelno, "info" if record.levelno >= 20 else "debug")
        line = {"@level": level, "@message": record.getMessage(), "@module": record.name}
        if record.exc_info:
            line["stack"] = "".join(traceback.format_exception(*record.exc_info))
        os.write(2, (json.dumps(line) + "\n").encode())


# The calls.

class _Failure(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class _Service:
    def __init__(self, name, version, groups, settings, configure):
        self.groups = {g.name: g for g in groups}
        self.declared = {s.name: s for s in settings}
        self.configure_plugin = configure
        self.settings = None  # until the first call that needs them
        self.lock = threading.Lock()
        python = "python{}.{}.{}".format(*sys.version_info)
        self.discovered = pb["DiscoverResponse"](name=name, version=version, build=pb["Build"](language=python))
        for g in groups:
            self.discovered.groups.add(
                name=g.name, method={"poll": 1, "send": 2}[g.method], title=g.title, description=g.description,
                formats=g.write_messages is not None, formats_http_request=g.format_http_request is not None,
                schedule=g.schedule)
        for s in settings:
            self.discovered.settings.add(
                name=s.name, type={str: 1, float: 2, bool: 3}[s.type], description=s.description,
                default="" if s.default is None else json.dumps(s.default), required=s.required, secret=s.secret)

    def discover(self, request):
        return self.discovered

    def configure(self, request):
        with self.lock:
            if self.settings is not None:
                raise _Failure(grpc.StatusCode.FAILED_PRECONDITION, "the plugin is configured already; start it anew for other settings")
            self.set_up(request.settings)
        return pb["ConfigureResponse"]()

    def set_up(self, text):
        try:
            given = json.loads(text or b"{}")
            if not isinstance(given, dict):
                raise ValueError("the settings are no JSON object")
            values = {s.name: s.default for s in self.declared.values() if s.default is not None}
            for name, value in given.items():
                setting = self.declared.get(name)
                if setting is None:
                    raise ValueError(f'there is no setting "{name}"')
                if setting.type is float and type(value) is int:
                    value = float(value)
                if type(value) is not setting.type:
                    raise ValueError(f'the setting "{name}" is not of its type')
                values[name] = value
            for s in self.declared.values():
                if s.required and s.name not in values:
                    raise ValueError(f'the setting "{s.name}" has no value')
            if self.configure_plugin:
                self.configure_plugin(values)
        except ValueError as e:
            raise _Failure(grpc.StatusCode.INVALID_ARGUMENT, str(e)) from e
        self.settings = values

    def batch(self, request):
        with self.lock:
            if self.settings is None:
                self.set_up(b"")
        messages = [Message(m.id, _time(m.time), m.data) for m in request.messages]
        return Batch(request.group, request.token, messages, self.settings)

    def group(self, name):
        if name not in self.groups:
            raise _Failure(grpc.StatusCode.NOT_FOUND, f'this plugin has no group "{name}"')
        return self.groups[name]

    def write_messages(self, request):
        group = self.group(request.group)
        if group.write_messages is None:
            raise _Failure(grpc.StatusCode.UNIMPLEMENTED, f'group "{group.name}" has the default format')
        try:
            d = group.write_messages(self.batch(request))
        except Rejected as r:
            reply = pb["WriteMessagesResponse"]()
            for id, reason in sorted(r.reasons.items()):
                reply.rejections.add(id=id, reason=_clip(reason, MAX_REASON_BYTES))
            return reply
        document = pb["Document"](content_type=d.content_type, filename=d.filename, body=d.body)
        return pb["WriteMessagesResponse"](document=document)

    def format_http_request(self, request):
        group = self.group(request.group)
        if group.format_http_request is None:
            raise _Failure(grpc.StatusCode.UNIMPLEMENTED, f'group "{group.name}" leaves the HTTP request to the daemon')
        d = request.document
        r = group.format_http_request(self.batch(request), Document(d.content_type, d.body, d.filename))
        headers = [pb["Header"](name=name, value=value) for name, value in r.headers]
        return pb["FormatHTTPRequestResponse"](method=r.method, url=r.url, headers=headers)


def _handlers(service, stop):
    def call(function, request):
        def answer(message, context):
            try:
                return function(message)
            except _Failure as e:
                code, text = e.code, str(e)
            except Exception as e:  # the daemon shows what comes before the blank line
                code, text = grpc.StatusCode.UNKNOWN, f"{str(e) or type(e).__name__}\n\n{traceback.format_exc()}"
            context.abort(code, _clip(text, MAX_ERROR_BYTES))
        return grpc.unary_unary_rpc_method_handler(answer, pb[request].FromString, lambda reply: reply.SerializeToString())

    def raw(function):
        return grpc.unary_unary_rpc_method_handler(lambda message, context: function())

    def shutdown():
        stop.set()
        return b""

    service_handlers = {
        "restante.formatter.v1.Formatter": {
            "Discover": call(service.discover, "DiscoverRequest"),
            "Configure": call(service.configure, "ConfigureRequest"),
            "WriteMessages": call(service.write_messages, "WriteMessagesRequest"),
            "FormatHTTPRequest": call(service.format_http_request, "FormatHTTPRequestRequest"),
        },
        "grpc.health.v1.Health": {"Check": raw(lambda: b"\x08\x01")},  # status: SERVING
        "plugin.GRPCController": {"Shutdown": raw(shutdown)},
    }
    return [grpc.method_handlers_generic_handler(name, calls) for name, calls in service_handlers.items()]


def _clip(text, limit):
    text = text.encode("utf-8", "replace")
    if len(text) > limit:
        text = text[:limit - 3].decode("utf-8", "ignore").encode() + "…".encode()
    return text.decode()


def _time(t):
    whole = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t.seconds)
    fraction = f".{t.nanos:09}".rstrip("0.")
    return f"{whole.isoformat()}{fraction}Z"


# The contract.

def _load(text):
    """Makes a class of each message of formatter.proto, so that no generated code
    is needed. It knows as much of the language as that file uses: messages of
    plain and repeated fields, and enums."""
    package = "restante.formatter.v1"
    file = descriptor_pb2.FileDescriptorProto(
        name="formatter/v1/formatter.proto", package=package, syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"])
    plain = {"string": 9, "bytes": 12, "bool": 8, "uint64": 4}  # FieldDescriptorProto.Type
    text = re.sub(r"//.*", "", text)
    enums = re.findall(r"enum (\w+) {(.*?)}", text, re.DOTALL)
    messages = re.findall(r"message (\w+) {(.*?)}", text, re.DOTALL)
    for name, body in enums:
        enum = file.enum_type.add(name=name)
        for value, number in re.findall(r"(\w+) = (\d+);", body):
            enum.value.add(name=value, number=int(number))
    for name, body in messages:
        message = file.message_type.add(name=name)
        for repeated, kind, field_name, number in re.findall(r"(repeated )?([\w.]+) (\w+) = (\d+);", body):
            f = message.field.add(name=field_name, number=int(number), label=3 if repeated else 1)
            f.type = plain.get(kind) or (14 if kind in dict(enums) else 11)
            if kind not in plain:
                f.type_name = "." + (kind if "." in kind else f"{package}.{kind}")
        if len(message.field) != body.count(";"):
            raise ValueError(f"formatter.proto: message {name} has a field of a kind that is not known here")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return {name: class_of(pool.FindMessageTypeByName(f"{package}.{name}")) for name, _ in messages}


pb = _load(pkgutil.get_data(__name__, "formatter.proto").decode())
