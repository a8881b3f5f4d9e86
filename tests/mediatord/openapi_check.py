# SPDX-License-Identifier: Apache-2.0
"""Holds the answers of a running mediator against the OpenAPI document.

Usage: python3 openapi_check.py DOCUMENT SOCKET. Prints what differs, and exits with 1 then. Each
answer's status, media type and body must be what the document says of the operation; a field that
the document does not know is a difference, too.
"""
import http.client
import json
import re
import socket
import sys

import yaml

VM = '/v1/vms/11111111-1111-4111-8111-111111111111'
OTHER = '/v1/vms/22222222-2222-4222-8222-222222222222'
PATCH = 'application/merge-patch+json'
DRIFT = [{'what': 'weight', 'detail': 'one and the other'}]
TYPES = {
    'object': dict,
    'array': list,
    'string': str,
    'boolean': bool,
    'integer': int,
    'number': (int, float),
}


class Connection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path):
        super().__init__('localhost')
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class Document:
    """The OpenAPI document, of which this knows the keywords that it uses."""

    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            self.root = yaml.safe_load(file)
        self.used = set()

    def resolve(self, node):
        """What a $ref leads to."""
        while '$ref' in node:
            target = self.root
            for key in node['$ref'].removeprefix('#/').split('/'):
                target = target[key]
            node = target
        return node

    def operation(self, method, path):
        """The operation of a request, with its name."""
        path = path.partition('?')[0]
        for template, methods in self.root['paths'].items():
            pattern = re.sub(r'\{[a-z]+\}', '[^/]+', template)
            if method.lower() in methods and re.fullmatch(pattern, path):
                self.used.add((method, template))
                return f'{method} {template}', methods[method.lower()]
        return None, None

    def properties(self, schema):
        """All that an object may have, as allOf puts it together."""
        schema = self.resolve(schema)
        found = dict(schema.get('properties', {}))
        for part in schema.get('allOf', []):
            found.update(self.properties(part))
        return found

    def differences(self, schema, value, where, known=None):
        """What is wrong with a value, line by line; known: what other parts of allOf describe."""
        schema = self.resolve(schema)
        if value is None:
            if not schema.get('nullable'):
                yield f'{where} is null'
            return
        kind = schema.get('type')
        if kind and (not isinstance(value, TYPES[kind]) or
                     isinstance(value, bool) != (kind == 'boolean')):
            yield f'{where} is no {kind}: {value!r}'
            return
        if 'enum' in schema and value not in schema['enum']:
            yield f'{where} is none of {schema["enum"]}: {value!r}'
        if 'pattern' in schema and not re.search(schema['pattern'], value):
            yield f'{where} does not match {schema["pattern"]}: {value!r}'
        if kind in ('integer', 'number') and not (schema.get('minimum', value) <= value <=
                                                  schema.get('maximum', value)):
            yield f'{where} is out of its range: {value!r}'
        if isinstance(value, dict):
            known = known or self.properties(schema)
            for part in schema.get('allOf', []):
                yield from self.differences(part, value, where, known)
            yield from self.object_differences(schema, value, where, known)
        if isinstance(value, list) and 'items' in schema:
            for index, item in enumerate(value):
                yield from self.differences(schema['items'], item, f'{where}[{index}]')

    def object_differences(self, schema, value, where, known):
        """The same of an object's own fields."""
        for name in schema.get('required', []):
            if name not in value:
                yield f'{where} has no {name}'
        others = schema.get('additionalProperties')
        for name, field in value.items():
            if name in schema.get('properties', {}):
                yield from self.differences(schema['properties'][name], field, f'{where}.{name}')
            elif isinstance(others, dict):
                yield from self.differences(others, field, f'{where}.{name}')
            elif name not in known:
                yield f'{where}.{name} is not described'


def check(document, name, operation, response, body):
    """What is wrong with one answer."""
    described = operation['responses'].get(str(response.status),
                                           operation['responses'].get('default'))
    if not described:
        yield f'{name}: {response.status} is not described: {body!r}'
        return
    content = document.resolve(described).get('content')
    kind = (response.headers['Content-Type'] or '').split(';')[0]
    if not content:
        if body:
            yield f'{name}: {response.status} has a body: {body!r}'
        return
    if kind not in content:
        yield f'{name}: {response.status} is {kind}, not {" or ".join(content)}'
    elif kind.endswith('json'):
        for line in document.differences(content[kind]['schema'], json.loads(body), 'body'):
            yield f'{name}: {response.status}: {line}'


# Method, path, body or None, further headers, and the status that comes of it.
REQUESTS = [
    ('PUT', VM, {'name': 'a', 'weight': 5, 'quotas': {'burst': 3}}, {}, 201),
    ('PUT', VM, {'name': 'a'}, {'If-None-Match': '*'}, 412),
    ('PUT', VM, {'weight': 0}, {}, 400),
    ('PUT', VM, {'profile': 'lead'}, {}, 422),
    ('PUT', VM, {}, {'Content-Type': 'text/plain'}, 415),
    ('PUT', f'{VM}/domain', {'name': 'a'}, {}, 200),
    ('PUT', f'{VM}/cloudstack', {'weight': 9}, {}, 200),
    ('GET', f'{VM}/cloudstack', None, {}, 200),
    ('PUT', f'{VM}/cloudstack', {'name': 'a'}, {}, 400),
    ('PUT', f'{OTHER}/cloudstack', {}, {}, 404),
    ('PUT', f'{VM}/domain/state', {'state': 'running', 'starts': 1, 'drift': DRIFT}, {}, 204),
    ('PUT', f'{VM}/domain/state', {'state': 'running', 'starts': 9, 'drift': []}, {}, 409),
    ('PUT', f'{OTHER}/domain/state', {'state': 'running'}, {}, 400),
    ('PATCH', VM, {'weight': 6}, {'Content-Type': PATCH, 'If-Match': '*'}, 200),
    ('PATCH', VM, {'weight': 6}, {'Content-Type': PATCH}, 428),
    ('GET', VM, None, {}, 200),
    ('GET', OTHER, None, {}, 404),
    ('GET', '/v1/vms/x', None, {}, 400),
    ('GET', '/v1/vms', None, {}, 200),
    ('GET', f'{VM}/channels', None, {}, 200),
    ('GET', f'{VM}/times', None, {}, 200),
    ('POST', f'{VM}/pause', None, {}, 200),
    ('POST', f'{VM}/resume', None, {}, 200),
    ('POST', f'{VM}/drain', None, {}, 200),
    ('POST', f'{VM}/reset', None, {}, 200),
    ('POST', f'{VM}/quarantine', None, {}, 200),
    ('GET', VM, None, {}, 200),
    ('POST', f'{VM}/release', None, {}, 200),
    ('POST', f'{OTHER}/release', None, {}, 404),
    ('PUT', '/v1/profiles/silver', {'weight': 7, 'seats': 2}, {}, 201),
    ('PUT', '/v1/profiles/gold', {'weight': 7}, {}, 409),
    ('PATCH', '/v1/profiles/silver', {'weight': 8}, {'Content-Type': PATCH, 'If-Match': '*'}, 200),
    ('GET', '/v1/profiles/silver', None, {}, 200),
    ('GET', '/v1/profiles', None, {}, 200),
    ('GET', '/v1/seats?limit=1', None, {}, 200),
    ('DELETE', '/v1/profiles/silver', None, {}, 204),
    ('GET', '/v1/pools', None, {}, 200),
    ('GET', '/v1/gpus', None, {}, 200),
    ('GET', '/v1/seats', None, {}, 200),
    ('POST', '/v1/tokens', {'name': 't', 'role': 'read', 'expires_in_seconds': 60}, {}, 201),
    ('POST', '/v1/tokens', {'name': 't', 'role': 'read'}, {}, 409),
    ('GET', '/v1/tokens', None, {}, 200),
    ('DELETE', '/v1/tokens/t', None, {}, 204),
    ('POST', '/v1/backup', None, {}, 201),
    ('GET', '/v1/audit', None, {}, 200),
    ('GET', '/v1/audit?limit=1', None, {}, 200),
    ('GET', '/v1/audit?limit=0', None, {}, 400),
    ('GET', '/v1/version', None, {}, 200),
    ('GET', '/v1/openapi.yaml', None, {}, 200),
    ('GET', '/metrics', None, {}, 200),
    ('GET', '/healthz', None, {}, 200),
    ('GET', '/readyz', None, {}, 200),
    ('DELETE', f'{VM}/domain', None, {}, 204),
    ('DELETE', VM, None, {}, 204),
]
# Their answers are no single documents; other tests look at them.
NOT_HERE = {('GET', '/v1/events'), ('GET', '/ui'), ('GET', '/ui/'), ('GET', '/ui/{name}')}


def main():
    document = Document(sys.argv[1])
    wrong = []
    for method, path, body, headers, wanted in REQUESTS:
        connection = Connection(sys.argv[2])
        if body is not None:
            headers = {'Content-Type': 'application/json', **headers}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        name, operation = document.operation(method, path)
        if not operation:
            wrong.append(f'{method} {path} is not described')
            continue
        if response.status != wanted:
            wrong.append(f'{name}: {response.status} instead of {wanted}: {text}')
        wrong.extend(check(document, name, operation, response, text))
    for template, methods in document.root['paths'].items():
        for method in methods:
            operation = (method.upper(), template)
            if method != 'parameters' and operation not in document.used | NOT_HERE:
                wrong.append(f'{method.upper()} {template} is not looked at')
    print('\n'.join(wrong))
    sys.exit(1 if wrong else 0)


main()
