#!/usr/bin/env python3
"""Holds `sekimori mac serve` against its own description, docs/macs-api.openapi.json.

    openapi.py --bin build/dev/bin/sekimori

Starts it, with and without a token, asks for everything that is described, rightly and wrongly, and checks each
answer against the description: its status must be listed, its type and body must fit the schema (JSON Schema
2020-12, as OpenAPI 3.1 has it), and what the server takes for a sound request must be one by the description,
too. At the end every operation has been answered with each status listed for it, but those that need a broken
store.
"""

import argparse
import http.client
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKEN_STORE = {"500", "503", "504"}
TOKEN = "0123456789abcdef-a-token"

MAC = "02:ab:00:00:00:00"
JSON = {"Content-Type": "application/json"}
# method, path of the description, what stands for its parameters and query, headers, body, expected status
CASES = [
    ("post", "/v1/allocate", "", {}, {}, 200),
    ("post", "/v1/allocate", "", {}, {"owners": ["vc1/vm-7/net0"], "lease": 60, "pool": "lab", "policy": "sequence"}, 200),
    ("post", "/v1/allocate", "", {"Idempotency-Key": "k1"}, {"count": 3}, 200),
    ("post", "/v1/allocate", "", {"Idempotency-Key": "k1"}, {"count": 4}, 409),
    ("post", "/v1/allocate", "", {}, {"count": 0}, 400),
    ("post", "/v1/allocate", "", {}, {"owners": ["vm-7"]}, 400),
    ("post", "/v1/allocate", "", {}, {"owners": []}, 400),
    ("post", "/v1/allocate", "", {}, {"policy": "luck"}, 400),
    ("post", "/v1/allocate", "", {}, {"cuont": 1}, 400),
    ("post", "/v1/allocate", "", {}, [], 400),
    ("post", "/v1/reserve", "", {}, {"entries": [{"mac": "06ab.0000.0001", "owner": "a/b/c", "note": "printer"}]}, 200),
    ("post", "/v1/reserve", "", {}, {"entries": [{"mac": "06:ab:00:00:00:01"}]}, 409),
    ("post", "/v1/reserve", "", {}, {"entries": []}, 400),
    ("post", "/v1/reserve", "", {}, {"entries": [{"note": "x"}]}, 400),
    ("post", "/v1/renew", "", {}, {"macs": [MAC], "lease": 90}, 200),
    ("post", "/v1/renew", "", {}, {"macs": ["06:ab:00:00:00:01"]}, 409),
    ("post", "/v1/renew", "", {}, {"lease": 90}, 400),
    ("get", "/v1/macs", "", {}, None, 200),
    ("get", "/v1/macs", "?pool=lab&owner=vc1&state=allocated&after=02:ab:00:00:00:00&limit=1", {}, None, 200),
    ("get", "/v1/macs", "?state=lost", {}, None, 400),
    ("get", "/v1/macs/{mac}", "/02ab.0000.0000", {}, None, 200),
    ("get", "/v1/macs/{mac}", "/06:00:00:00:00:09", {}, None, 404),
    ("get", "/v1/macs/{mac}", "/nobody", {}, None, 400),
    ("get", "/v1/check/{mac}", "/" + MAC, {}, None, 200),
    ("get", "/v1/check/{mac}", "/" + MAC + "?owner=vc1/vm-8/net0", {}, None, 200),
    ("get", "/v1/check/{mac}", "/00:00:5e:00:01:01", {}, None, 200),
    ("get", "/v1/check/{mac}", "/06:00:00:00:00:09", {}, None, 200),
    ("get", "/v1/check/{mac}", "/" + MAC + "?owner=vm", {}, None, 400),
    ("get", "/v1/pools", "", {}, None, 200),
    ("get", "/v1/pools", "?x=1", {}, None, 400),
    ("get", "/v1/health", "", {}, None, 200),
    ("get", "/v1/health", "?x=1", {}, None, 400),
    ("get", "/metrics", "", {}, None, 200),
    ("get", "/openapi.json", "", {}, None, 200),
    ("post", "/v1/release", "", {}, {"macs": [MAC], "owner": "vc1/vm-8"}, 409),
    ("post", "/v1/release", "", {}, {"macs": [MAC]}, 200),
    ("post", "/v1/release", "", {}, {"owner": "vc1/vm-7"}, 200),
    ("post", "/v1/release", "", {}, {}, 400),
]


class Server:
    def __init__(self, program, registry, *options):
        self.process = subprocess.Popen([program, "mac", "serve", "--registry", registry, "--listen", "127.0.0.1:0", *options],
                                        stdout=subprocess.PIPE, text=True)
        self.host = self.process.stdout.readline().strip().removeprefix("http://")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        if code != 0:
            sys.exit(f"the server ended with {code}")

    def ask(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.request(method.upper(), path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, text


class Checker:
    def __init__(self, description):
        self.description = description
        self.wrongs = []
        self.seen = set()

    def wrong(self, what):
        self.wrongs.append(what)

    def resolve(self, node):
        while "$ref" in node:
            found = self.description
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    def errors(self, schema, value):
        whole = {**schema, "components": self.description["components"]}
        return [e.message for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]

    def check_itself(self):
        """The description as such: references lead somewhere, schemas are schemas, parameters of paths are told."""

        def walk(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    self.resolve(node)
                if "schema" in node:
                    jsonschema.Draft202012Validator.check_schema(node["schema"])
                for value in node.values():
                    walk(value)
            elif isinstance(node, list):
                for value in node:
                    walk(value)

        walk(self.description)
        for schema in self.description["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
        ids = [o["operationId"] for p in self.description["paths"].values() for o in p.values()]
        if len(ids) != len(set(ids)):
            self.wrong("an operationId is there twice")
        for path, operations in self.description["paths"].items():
            for operation in operations.values():
                told = {p["name"] for p in map(self.resolve, operation.get("parameters", [])) if p["in"] == "path"}
                if told != set(re.findall(r"{(\w+)}", path)):
                    self.wrong(f"{path}: its parameters are not told")

    def check_answer(self, method, path, answer, expected, case):
        status, headers, text = answer
        operation = self.description["paths"][path][method]
        if status != expected:
            self.wrong(f"{case}: {status} instead of {expected}: {text[:200]}")
        if str(status) not in operation["responses"]:
            return self.wrong(f"{case}: {status} is not described")
        self.seen.add((method, path, str(status)))
        content = self.resolve(operation["responses"][str(status)])["content"]
        kind = headers["Content-Type"].split(";")[0]
        if kind not in content:
            return self.wrong(f"{case}: {kind} is not described")
        value = text.decode() if kind == "text/plain" else json.loads(text)
        for error in self.errors(content[kind]["schema"], value):
            self.wrong(f"{case}: {error}")

    def check_request(self, method, path, body, expected, case):
        """A body that the server refuses as such must be refused by the schema, and the other way round."""
        request = self.description["paths"][path][method].get("requestBody")
        if request is None:
            return
        errors = self.errors(request["content"]["application/json"]["schema"], body)
        if (expected == 400) != bool(errors):
            self.wrong(f"{case}: server and schema differ: {errors}")


def run(program):
    file = ROOT / "docs" / "macs-api.openapi.json"
    checker = Checker(json.loads(file.read_text()))
    checker.check_itself()
    paths = checker.description["paths"]
    with tempfile.TemporaryDirectory(prefix="sekimori-openapi-") as folder:
        registry = f"{folder}/macs.db"
        subprocess.run([program, "mac", "pool", "add", "lab", "02:ab:00:00:00:00/24", "--policy", "sequence",
                        "--registry", registry], check=True)
        with Server(program, registry) as server:
            if server.ask("get", "/openapi.json", {}, None)[2] != file.read_bytes():
                checker.wrong("what is served is not what is in docs/")
            # The first address has an owner and a lease; the cases rely on it.
            server.ask("post", "/v1/allocate", JSON, json.dumps({"owners": ["vc1/vm-7/net0"], "lease": 60}))
            for method, path, rest, headers, body, expected in CASES:
                case = f"{method} {path} {rest} {body}"
                where = path.replace("/{mac}", "") + rest
                sent = None if body is None else json.dumps(body)
                fields = {**headers, **(JSON if sent else {})}
                checker.check_answer(method, path, server.ask(method, where, fields, sent), expected, case)
                if sent is not None:
                    checker.check_request(method, path, body, expected, case)
            for path, operations in paths.items():
                where = path.replace("{mac}", MAC)
                for method in operations:
                    host = server.ask(method, where, {"Host": "elsewhere", **JSON}, "{}" if method == "post" else None)
                    checker.check_answer(method, path, host, 421, f"{method} {path}: Host")
                    if method != "post":
                        continue
                    for fields, sent, expected in (({}, "{}", 415), (JSON, " " * (1 << 20) + "{}", 413)):
                        checker.check_answer(method, path, server.ask(method, where, fields, sent), expected,
                                             f"{method} {path}: {expected}")
                    connection = http.client.HTTPConnection(server.host, timeout=10)
                    connection.putrequest("POST", where)
                    connection.endheaders()
                    answer = connection.getresponse()
                    checker.check_answer(method, path, (answer.status, answer.headers, answer.read()), 411, f"{path}: 411")
                    connection.close()
                # The methods that are not described are refused, and those that are, are told.
                status, headers, _ = server.ask("patch", where, {}, None)
                if status != 405 or headers["Allow"] != ", ".join(m.upper() for m in operations):
                    checker.wrong(f"patch {path}: {status} {headers['Allow']}")
        token = pathlib.Path(folder, "token")
        token.write_text(TOKEN + "\n")
        with Server(program, registry, "--token-file", str(token)) as server:
            for path, operations in paths.items():
                for method, operation in operations.items():
                    where = path.replace("{mac}", MAC)
                    sent = "{}" if method == "post" else None
                    without = server.ask(method, where, JSON, sent)
                    if operation.get("security") == []:
                        checker.check_answer(method, path, without, 200, f"{method} {path}: without a token")
                        continue
                    checker.check_answer(method, path, without, 401, f"{method} {path}: without a token")
                    status = server.ask(method, where, {**JSON, "Authorization": f"Bearer {TOKEN}"}, sent)[0]
                    if status == 401:
                        checker.wrong(f"{method} {path}: the token does not help")
    for path, operations in paths.items():
        for method, operation in operations.items():
            for status in operation["responses"]:
                if status not in BROKEN_STORE and (method, path, status) not in checker.seen:
                    checker.wrong(f"{method} {path}: {status} was never answered")
    for line in checker.wrongs:
        print(line)
    print(f"{len(checker.seen)} of the answers that are described were seen, {len(checker.wrongs)} are wrong")
    return 1 if checker.wrongs else 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    sys.exit(run(arguments.parse_args().bin))
