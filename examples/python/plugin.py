"""The formatter of plugins/student-records, in Python. doc.go there describes the
messages, and student-records.xsd the documents, which are the same to the byte."""

import datetime
import re

import restante_plugin as restante

NAMESPACE = "https://github.com/restante/restante/ns/student-records/1"

# What a message must look like: str is a text, Number a number of which the
# digits are kept, a dict an object, and a list an array.
MODULE = {"code": str, "title": str, "credits": restante.Number, "mark": restante.Number}
STUDENT = {"id": str, "familyName": str, "givenNames": str, "preferredName": str, "dateOfBirth": str,
           "email": str, "programme": {"code": str, "title": str, "startDate": str}, "modules": [MODULE]}
CHANGE = {"action": str, "student": STUDENT, "withdrawal": {"date": str, "reason": str}}
KINDS = {str: "string", restante.Number: "number", bool: "bool", dict: "object", list: "array"}

CODE = "[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
CODE_RULE = '1 to 32 letters, digits, ".", "_" and "-"'
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BLANK = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;",
                         "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"})


def write(batch):
    if NOT_XML.search(batch.token):
        raise ValueError("the token can't be written in XML")
    rejected, lines = {}, []
    for m in batch.messages:
        change, faults = check(restante.read_json(m.data))
        if faults:
            rejected[m.id] = "; ".join(faults)
        else:
            lines += record(m, change)
    if rejected:
        raise restante.Rejected(rejected)
    root = element("studentRecords", lines or "", xmlns=NAMESPACE, version="1.0", token=batch.token)
    body = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *root, ""]).encode()
    return restante.Document("application/xml; charset=utf-8", body, "student-records.xml")


def read(value, form, path, wrong):
    """Brings a JSON value into a form, with "" for what is missing; tells wrong of other kinds."""
    kind = KINDS.get(type(value))
    if form is restante.Number:  # what is no number is left to check
        return "" if value is None else value if kind == "number" else "no number"
    if kind and kind != {dict: "object", list: "array"}.get(type(form), "string"):
        wrong.append(f"{path or 'the message'} must not be a JSON {kind}")
        kind = None
    if isinstance(form, list):
        return [read(inner, form[0], path, wrong) for inner in value] if kind else []
    if form is str:
        return value if kind else ""
    result = {"given": bool(kind)}
    for name, inner in value.items() if kind else ():
        if name not in form:  # in any case, as Go's JSON package does
            name = next((n for n in form if n.lower() == name.lower()), None)
        if name:
            result[name] = read(inner, form[name], f"{path}.{name}" if path else name, wrong)
    for name in form.keys() - result.keys():
        result[name] = read(None, form[name], "", wrong)
    return result


def check(data):
    """Returns what a message says, and all that is wrong with it."""
    faults = []
    c = read(data, CHANGE, "", faults)
    if faults:
        return c, faults[:1]

    def optional(name, value):
        if found := NOT_XML.search(value):
            at = len(value[:found.start()].encode())
            faults.append(f"{name} has the character U+{ord(found[0]):04X} at byte {at}, which XML 1.0 can't carry")

    def required(name, value):
        if BLANK.fullmatch(value):
            faults.append(f"{name} is missing")
        else:
            optional(name, value)

    def pattern(name, value, form, rule):
        if value and not re.fullmatch(form, value):
            faults.append(f"{name} must be {rule}")
        else:
            required(name, value)

    def date(name, value):
        try:
            datetime.date(*map(int, re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", value).groups()))
        except (AttributeError, ValueError):
            faults.append(f"{name} must be a date of the form 2001-05-17" if value else f"{name} is missing")

    student, withdrawal, withdrawn = c["student"], c["withdrawal"], c["withdrawal"]["given"]
    if c["action"] not in ("create", "update", "withdraw"):
        faults.append("action must be create, update or withdraw" if c["action"] else "action is missing")
    elif withdrawn != (c["action"] == "withdraw"):
        faults.append("withdrawal is only for the action withdraw" if withdrawn else "withdrawal is missing")
    elif withdrawn:
        date("withdrawal.date", withdrawal["date"])
        required("withdrawal.reason", withdrawal["reason"])
    pattern("student.id", student["id"], "S[0-9]{7}", '"S" and seven digits')
    required("student.familyName", student["familyName"])
    optional("student.givenNames", student["givenNames"])
    optional("student.preferredName", student["preferredName"])
    date("student.dateOfBirth", student["dateOfBirth"])
    pattern("student.email", student["email"], "[^@\t\n\f\r ]+@[^@\t\n\f\r ]+", "an e-mail address")
    pattern("student.programme.code", student["programme"]["code"], CODE, CODE_RULE)
    required("student.programme.title", student["programme"]["title"])
    date("student.programme.startDate", student["programme"]["startDate"])
    for i, m in enumerate(student["modules"]):
        at = f"student.modules[{i}]."
        pattern(at + "code", m["code"], CODE, CODE_RULE)
        optional(at + "title", m["title"])
        pattern(at + "credits", m["credits"], "[0-9]{1,3}", "a whole number from 0 to 999")
        if m["mark"]:
            pattern(at + "mark", m["mark"], r"[0-9]{1,2}(\.[0-9]+)?|100(\.0+)?", "a number from 0 to 100 without an exponent")
    return c, faults


def element(name, content, **attributes):
    """Returns the lines of an element, whose content is a text or the lines in it."""
    start = "<" + name + "".join(f' {key}="{value.translate(ESCAPES)}"' for key, value in attributes.items())
    if isinstance(content, str):
        return [f"{start}>{content.translate(ESCAPES)}</{name}>"]
    return [start + ">", *("  " + line for line in content), f"</{name}>"]


def record(message, c):
    def texts(of, *names):  # those of them that aren't empty
        return [line for name in names if of[name] for line in element(name, of[name])]

    s, p = c["student"], c["student"]["programme"]
    modules = [line for m in s["modules"] for line in element("module", texts(m, "title", "credits", "mark"), code=m["code"])]
    student = texts(s, "familyName", "givenNames", "preferredName", "dateOfBirth", "email")
    student += element("programme", texts(p, "title", "startDate"), code=p["code"])
    lines = element("student", student + (element("modules", modules) if modules else []), id=s["id"])
    if c["withdrawal"]["given"]:
        lines += element("withdrawal", texts(c["withdrawal"], "date", "reason"))
    return element("record", lines, id=str(message.id), time=message.time, action=c["action"])


restante.serve("student-records", "1.0.0", [restante.Group(
    "student", "Student Records System", write,
    "Students who are enrolled, changed or withdrawn, as XML for the student records system. "
    "A message carries an action (create, update or withdraw) and the student's whole record.")])
