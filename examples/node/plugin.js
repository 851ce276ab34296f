'use strict';
// The formatter of plugins/student-records, in JavaScript. doc.go there describes
// the messages, and student-records.xsd the documents, the same to the byte.

const restante = require('./restante-plugin');

const NAMESPACE = 'https://github.com/restante/restante/ns/student-records/1';

// What a message must look like: TEXT is a string, NUMBER a number of which the
// digits are kept, and [form] an array.
const [TEXT, NUMBER] = ['string', 'number'];
const MODULE = { code: TEXT, title: TEXT, credits: NUMBER, mark: NUMBER };
const STUDENT = {
  id: TEXT, familyName: TEXT, givenNames: TEXT, preferredName: TEXT, dateOfBirth: TEXT, email: TEXT,
  programme: { code: TEXT, title: TEXT, startDate: TEXT }, modules: [MODULE],
};
const CHANGE = { action: TEXT, student: STUDENT, withdrawal: { date: TEXT, reason: TEXT } };

const CODE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const CODE_RULE = '1 to 32 letters, digits, ".", "_" and "-"';
const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const BLANK = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;
const ESCAPES = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;', '\t': '&#x9;', '\n': '&#xA;', '\r': '&#xD;',
};
const escape = (text) => text.replace(/[&<>"'\t\n\r]/g, (c) => ESCAPES[c]);

function write(batch) {
  if (NOT_XML.test(batch.token)) throw new Error("the token can't be written in XML");
  const rejected = new Map();
  const lines = [];
  for (const m of batch.messages) {
    const [change, faults] = check(restante.readJSON(m.data));
    if (faults.length > 0) rejected.set(m.id, faults.join('; '));
    else lines.push(...record(m, change));
  }
  if (rejected.size > 0) throw new restante.Rejected(rejected);
  const root = element('studentRecords', { xmlns: NAMESPACE, version: '1.0', token: batch.token }, lines.length > 0 ? lines : '');
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${root.join('\n')}\n`;
  return { contentType: 'application/xml; charset=utf-8', filename: 'student-records.xml', body };
}

function kindOf(value) {
  if (value === null || value === undefined) return '';
  if (value instanceof restante.JSONNumber) return 'number';
  if (Array.isArray(value)) return 'array';
  return { string: 'string', boolean: 'bool' }[typeof value] || 'object';
}

// read brings a JSON value into a form. What is missing or null becomes empty, and
// what is of another kind goes to wrong.
function read(value, form, path, wrong) {
  let kind = kindOf(value);
  if (form === NUMBER) { // what is no number is left to check
    if (kind === 'number') return value.text;
    return kind ? 'no number' : '';
  }
  if (kind && kind !== kindOf(form === TEXT ? '' : form)) {
    wrong.push(`${path || 'the message'} must not be a JSON ${kind}`);
    kind = '';
  }
  if (form === TEXT) return kind ? value : '';
  if (Array.isArray(form)) return kind ? value.map((inner) => read(inner, form[0], path, wrong)) : [];
  const result = { given: kind !== '' };
  for (const [key, inner] of kind ? Object.entries(value) : []) { // in any case, as Go's JSON package does
    const name = Object.hasOwn(form, key) ? key : Object.keys(form).find((n) => n.toLowerCase() === key.toLowerCase());
    if (name) result[name] = read(inner, form[name], path ? `${path}.${name}` : name, wrong);
  }
  for (const name of Object.keys(form)) {
    if (!Object.hasOwn(result, name)) result[name] = read(null, form[name], '', wrong);
  }
  return result;
}

// check returns what a message says, and all that is wrong with it.
function check(data) {
  const faults = [];
  const c = read(data, CHANGE, '', faults);
  if (faults.length > 0) return [c, faults.slice(0, 1)];

  const add = (name, what) => faults.push(`${name} ${what}`);
  const optional = (name, value) => {
    const found = NOT_XML.exec(value);
    if (!found) return;
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
    add(name, `has the character U+${code} at byte ${Buffer.byteLength(value.slice(0, found.index))}, which XML 1.0 can't carry`);
  };
  const required = (name, value) => (BLANK.test(value) ? add(name, 'is missing') : optional(name, value));
  const pattern = (name, value, form, rule) => (value && !form.test(value) ? add(name, `must be ${rule}`) : required(name, value));
  const date = (name, value) => {
    const time = new Date(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : NaN);
    const real = !Number.isNaN(time.getTime()) && time.toISOString().startsWith(value) && !value.startsWith('0000');
    if (!real) add(name, value ? 'must be a date of the form 2001-05-17' : 'is missing');
  };

  const { action, student: s, withdrawal: w } = c;
  if (!['create', 'update', 'withdraw'].includes(action)) {
    add('action', action ? 'must be create, update or withdraw' : 'is missing');
  } else if (w.given !== (action === 'withdraw')) {
    add('withdrawal', w.given ? 'is only for the action withdraw' : 'is missing');
  } else if (w.given) {
    date('withdrawal.date', w.date);
    required('withdrawal.reason', w.reason);
  }
  pattern('student.id', s.id, /^S[0-9]{7}$/, '"S" and seven digits');
  required('student.familyName', s.familyName);
  optional('student.givenNames', s.givenNames);
  optional('student.preferredName', s.preferredName);
  date('student.dateOfBirth', s.dateOfBirth);
  pattern('student.email', s.email, /^[^@\t\n\f\r ]+@[^@\t\n\f\r ]+$/, 'an e-mail address');
  pattern('student.programme.code', s.programme.code, CODE, CODE_RULE);
  required('student.programme.title', s.programme.title);
  date('student.programme.startDate', s.programme.startDate);
  s.modules.forEach((m, i) => {
    const at = `student.modules[${i}].`;
    pattern(`${at}code`, m.code, CODE, CODE_RULE);
    optional(`${at}title`, m.title);
    pattern(`${at}credits`, m.credits, /^[0-9]{1,3}$/, 'a whole number from 0 to 999');
    if (m.mark) pattern(`${at}mark`, m.mark, /^([0-9]{1,2}(\.[0-9]+)?|100(\.0+)?)$/, 'a number from 0 to 100 without an exponent');
  });
  return [c, faults];
}

// element returns the lines of an element around a text or other lines.
function element(name, attributes, content) {
  const start = `<${name}${Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(value)}"`).join('')}>`;
  if (typeof content === 'string') return [`${start}${escape(content)}</${name}>`];
  return [start, ...content.map((line) => `  ${line}`), `</${name}>`];
}

// texts returns the elements of the properties that aren't empty.
const texts = (of, ...names) => names.filter((name) => of[name]).flatMap((name) => element(name, {}, of[name]));

function record(message, { action, student: s, withdrawal: w }) {
  const modules = s.modules.flatMap((m) => element('module', { code: m.code }, texts(m, 'title', 'credits', 'mark')));
  const lines = element('student', { id: s.id }, [
    ...texts(s, 'familyName', 'givenNames', 'preferredName', 'dateOfBirth', 'email'),
    ...element('programme', { code: s.programme.code }, texts(s.programme, 'title', 'startDate')),
    ...(modules.length > 0 ? element('modules', {}, modules) : []),
  ]);
  if (w.given) lines.push(...element('withdrawal', {}, texts(w, 'date', 'reason')));
  return element('record', { id: message.id, time: message.time, action }, lines);
}

restante.serve({ name: 'student-records', version: '1.0.0', groups: [{
  name: 'student', title: 'Student Records System', writeMessages: write,
  description: 'Students who are enrolled, changed or withdrawn, as XML for the student records system. '
    + "A message carries an action (create, update or withdraw) and the student's whole record.",
}] });
