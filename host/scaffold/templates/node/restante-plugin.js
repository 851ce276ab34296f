'use strict';
// Everything about a Restante formatter plugin in Node.js but its format.
//
//   const restante = require('./restante-plugin');
//   restante.serve({ name: 'lines', version: '1.0.0', groups: [{
//     name: 'lines', title: 'Lines of text',
//     writeMessages: (batch) => ({ contentType: 'text/plain; charset=utf-8', body: '…', filename: 'lines.txt' }),
//   }] });
//
// serve() does what docs/plugin-protocol.md in Restante's repository asks for.
// While it runs, console.log() and its like go to the daemon's log.

const fs = require('fs');
const path = require('path');
const util = require('util');
const grpc = require('@grpc/grpc-js');
const protobuf = require('protobufjs');
const contract = require('./formatter.proto'); // its text, which esbuild puts here

const MAX_MESSAGE_BYTES = 64 << 20;
const MAX_REASON_BYTES = 4000;
const MAX_ERROR_BYTES = 16 << 10;
const STOP_MS = 5000;

// Rejected is thrown to say which messages can't be written: its argument is a
// Map from ids to reasons.
class Rejected extends Error {
  constructor(reasons) {
    super(`${reasons.size} messages rejected`);
    this.reasons = reasons;
  }
}

// JSONNumber is a number of a JSON text, with the very digits that it was
// written with.
class JSONNumber {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

// readJSON reads a message's data. Numbers become a JSONNumber, as JavaScript's
// own would lose digits.
function readJSON(data) {
  const text = data.toString('utf8');
  JSON.parse(text); // refuses what is not JSON
  const numbers = [];
  const numbered = text.replace(/"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g, (token) => (
    token[0] === '"' ? token : numbers.push(token) - 1));
  return JSON.parse(numbered, (_, value) => (typeof value === 'number' ? new JSONNumber(numbers[value]) : value));
}

// serve runs the plugin until the daemon ends it, and then ends the process. A
// plugin has
//
//   name, version
//   groups: a list of
//     name, title, description
//     method:            'poll' (the default) or 'send'
//     schedule:          only for 'send'
//     writeMessages:     called with a batch (group, token, settings, messages)
//                        and returns a document (contentType, body, filename), or
//                        a promise of one; without it the daemon writes its
//                        default format
//     formatHTTPRequest: called with a batch and its document, only for 'send',
//                        and returns { method, url, headers: [[name, value]] }
//   settings: a list of name, type ('string', 'number' or 'bool'), description,
//     default, required, secret
//   configure: called once with the values of the settings; throws if the plugin
//     can't work with them
//
// A message has an id (a decimal string), a time ("2019-02-15T10:32:01Z", in
// UTC) and data (a Buffer with one JSON value, exactly as it was added).
function serve(plugin) {
  const problem = notStartedByADaemon(plugin);
  if (problem) {
    console.error(problem);
    process.exit(1);
  }
  // Standard output belongs to the handshake; what is printed goes to the log.
  for (const [name, level] of [['debug', 'debug'], ['log', 'info'], ['info', 'info'], ['warn', 'warn'], ['error', 'error']]) {
    console[name] = (...args) => log(level, util.format(...args));
  }
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  });
  const stop = () => {
    server.tryShutdown(() => process.exit(0));
    setTimeout(() => process.exit(0), STOP_MS);
  };
  addService(server, 'restante.formatter.v1.Formatter', service(plugin));
  addService(server, 'grpc.health.v1.Health', { Check: () => Buffer.from([8, 1]) }); // status: SERVING
  addService(server, 'plugin.GRPCController', { Shutdown: () => { setImmediate(stop); return Buffer.alloc(0); } });

  process.on('SIGINT', () => {}); // Ctrl-C is for the daemon
  process.on('SIGTERM', stop);
  process.stdin.on('end', stop).on('error', stop).resume(); // the daemon's end, however it ended

  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, 'plugin.sock');
  server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) throw err;
    fs.writeSync(1, `1|1|unix|${socket}|grpc\n`);
  });
}

function notStartedByADaemon(plugin) {
  const env = process.env;
  if (env.RESTANTE_PLUGIN !== 'formatter-6f1a7c52') {
    return `${plugin.name} ${plugin.version} is a formatter plugin for Restante. It does nothing when it is run by\n`
      + "hand: copy it into the daemon's plugin folder, and the daemon starts it.";
  }
  if (!(env.PLUGIN_PROTOCOL_VERSIONS || '1').split(',').includes('1')) {
    return 'this plugin speaks protocol version 1, which the daemon does not';
  }
  return env.PLUGIN_CLIENT_CERT ? 'the daemon asks for TLS, which this plugin does not speak' : '';
}

// log writes a JSON line that the daemon's log takes over.
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'off'];
const threshold = Math.max(0, LEVELS.indexOf(process.env.RESTANTE_LOG_LEVEL || 'info'));
function log(level, message) {
  if (LEVELS.indexOf(level) < threshold) return;
  try {
    fs.writeSync(2, `${JSON.stringify({ '@level': level, '@message': message })}\n`);
  } catch { /* a log that is full must not fail a call */ }
}

// Failure is an error with a gRPC status code.
class Failure extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

// service returns the calls of the contract as functions of the bytes of a
// request.
function service(plugin) {
  const groups = new Map(plugin.groups.map((g) => [g.name, g]));
  const declared = new Map((plugin.settings || []).map((s) => [s.name, s]));
  let settings = null; // until the first call that needs them

  const discovered = {
    name: plugin.name,
    version: plugin.version,
    groups: plugin.groups.map((g) => ({
      name: g.name,
      method: { poll: 1, send: 2 }[g.method || 'poll'],
      title: g.title || '',
      description: g.description || '',
      formats: !!g.writeMessages,
      formats_http_request: !!g.formatHTTPRequest,
      schedule: g.schedule || '',
    })),
    build: { language: `node${process.versions.node}` },
    settings: [...declared.values()].map((s) => ({
      name: s.name,
      type: { string: 1, number: 2, bool: 3 }[s.type],
      description: s.description || '',
      default: s.default === undefined ? '' : JSON.stringify(s.default),
      required: !!s.required,
      secret: !!s.secret,
    })),
  };

  function setUp(text) {
    try {
      const given = JSON.parse(text || '{}');
      if (given === null || typeof given !== 'object' || Array.isArray(given)) throw new Error('the settings are no JSON object');
      const values = {};
      for (const s of declared.values()) {
        if (s.default !== undefined) values[s.name] = s.default;
      }
      for (const [name, value] of Object.entries(given)) {
        const s = declared.get(name);
        if (!s) throw new Error(`there is no setting "${name}"`);
        if (typeof value !== (s.type === 'bool' ? 'boolean' : s.type)) throw new Error(`the setting "${name}" is not of its type`);
        values[name] = value;
      }
      for (const s of declared.values()) {
        if (s.required && values[s.name] === undefined) throw new Error(`the setting "${s.name}" has no value`);
      }
      if (plugin.configure) plugin.configure(values);
      settings = values;
    } catch (err) {
      throw new Failure(grpc.status.INVALID_ARGUMENT, err.message);
    }
  }

  function batch(request) {
    if (settings === null) setUp('');
    const messages = request.messages.map((m) => ({ id: String(m.id), time: timeText(m.time), data: bytes(m.data) }));
    return { group: request.group, token: request.token, messages, settings };
  }

  function group(name) {
    if (!groups.has(name)) throw new Failure(grpc.status.NOT_FOUND, `this plugin has no group "${name}"`);
    return groups.get(name);
  }

  async function writeMessages(request) {
    const g = group(request.group);
    if (!g.writeMessages) throw new Failure(grpc.status.UNIMPLEMENTED, `group "${g.name}" has the default format`);
    try {
      const d = await g.writeMessages(batch(request));
      return { document: { content_type: d.contentType, filename: d.filename || '', body: Buffer.from(d.body) } };
    } catch (err) {
      if (!(err instanceof Rejected)) throw err;
      const rejections = [...err.reasons].map(([id, reason]) => ({ id, reason: clip(reason, MAX_REASON_BYTES) }));
      return { rejections };
    }
  }

  async function formatHTTPRequest(request) {
    const g = group(request.group);
    if (!g.formatHTTPRequest) throw new Failure(grpc.status.UNIMPLEMENTED, `group "${g.name}" leaves the HTTP request to the daemon`);
    const d = request.document || {};
    const document = { contentType: d.content_type, filename: d.filename, body: bytes(d.body) };
    const r = await g.formatHTTPRequest(batch(request), document);
    const headers = (r.headers || []).map(([name, value]) => ({ name, value }));
    return { method: r.method || '', url: r.url || '', headers };
  }

  function configure(request) {
    if (settings !== null) {
      throw new Failure(grpc.status.FAILED_PRECONDITION, 'the plugin is configured already; start it anew for other settings');
    }
    setUp(bytes(request.settings).toString('utf8'));
    return {};
  }

  return {
    Discover: typed('Discover', () => discovered),
    Configure: typed('Configure', configure),
    WriteMessages: typed('WriteMessages', writeMessages),
    FormatHTTPRequest: typed('FormatHTTPRequest', formatHTTPRequest),
  };
}

// typed makes a call from bytes to bytes of one between objects.
function typed(name, call) {
  const request = contractType(`${name}Request`);
  const response = contractType(`${name}Response`);
  return async (message) => response.encode(response.fromObject(await call(request.decode(message)))).finish();
}

// addService adds calls from bytes to bytes to a gRPC server.
function addService(server, name, calls) {
  const definition = {};
  const handlers = {};
  const same = (b) => b;
  for (const [call, answer] of Object.entries(calls)) {
    definition[call] = {
      path: `/${name}/${call}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: (b) => Buffer.from(b.buffer, b.byteOffset, b.length),
      responseDeserialize: same,
    };
    handlers[call] = async ({ request }, done) => {
      try {
        done(null, await answer(request));
      } catch (err) { // the daemon shows what comes before the blank line
        const expected = err instanceof Failure;
        const text = expected ? err.message : `${err.message}\n\n${err.stack}`;
        done({ code: expected ? err.code : grpc.status.UNKNOWN, details: clip(text, MAX_ERROR_BYTES) });
      }
    };
  }
  server.addService(definition, handlers);
}

function bytes(b) { return Buffer.from(b.buffer, b.byteOffset, b.length); }

function clip(text, limit) {
  const all = Buffer.from(String(text));
  if (all.length <= limit) return all.toString();
  let cut = limit - 3;
  while ((all[cut] & 0xc0) === 0x80) cut -= 1; // not inside a character
  return `${all.toString('utf8', 0, cut)}…`;
}

function timeText(t) {
  const { seconds, nanos } = t || { seconds: 0, nanos: 0 };
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = nanos ? `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}` : '';
  return `${whole}${fraction}Z`;
}

// contractType returns a message of formatter.proto by its name.
const root = new protobuf.Root();
protobuf.util.Long = require('long'); // for whole ids
protobuf.configure();
root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto').nested);
protobuf.parse(contract, root, { keepCase: true });
root.resolveAll();
function contractType(name) { return root.lookupType(`restante.formatter.v1.${name}`); }

module.exports = { serve, log, readJSON, JSONNumber, Rejected };
