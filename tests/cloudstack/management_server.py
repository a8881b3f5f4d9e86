#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for CloudStack's management server, for tests alone.

    management_server.py SITE.json FOLDER [PORT]

Serves the part of its API that vgpu-cloudstack asks for, from what SITE.json holds: hosts,
virtualmachines, serviceofferings as the API shows them, and keys: {"API-KEY": {"secret", "role"}}.
It computes signatures by itself, as ApiServer does, and pages. Writes FOLDER/port when it listens,
and each request as a line of JSON to FOLDER/requests. What FOLDER/mode holds, if anything, happens
to each answer, or to those to the commands that stand behind it: see MODES. NAME:N is for a list's
page N alone; limited=VALUE has VALUE, with spaces for _, as its Retry-After. FOLDER/site.json is the
site as it is after each change.
"""
import base64
import calendar
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODES = ('html', 'half', 'short', 'many', 'limited', 'unavailable', 'expired', 'silent', 'huge',
         'number', 'job-fails', 'recount', 'nameless')
PAGE_MAX = 500
PLAIN = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*_'


class Refused(Exception):
    def __init__(self, status, text, code=4350):
        super().__init__(text)
        self.status, self.text, self.code = status, text, code


def java_encode(text):
    """java.net.URLEncoder.encode(text).replace('+', '%20')"""
    return ''.join(chr(b) if chr(b) in PLAIN else f'%{b:02X}' for b in text.encode())


def signature(params, secret):
    text = '&'.join(f'{name}={java_encode(params[name])}' for name in sorted(params))
    digest = hmac.new(secret.encode(), text.lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class Site:
    def __init__(self, path, folder):
        with open(path, encoding='utf-8') as file:
            self.data = json.load(file)
        self.folder = folder
        self.jobs = {}

    def mode(self, command, params=None):
        """What happens to this answer, and the value that goes with it."""
        text = self.mode_text().split()
        if not text or command not in (text[1:] or [command]):
            return '', ''
        name, _, page = text[0].partition(':')
        name, _, value = name.partition('=')
        if page and (params or {}).get('page') != page:
            return '', ''
        return name, value.replace('_', ' ')

    def mode_text(self):
        try:
            with open(f'{self.folder}/mode', encoding='utf-8') as file:
                return file.read()
        except FileNotFoundError:
            return ''

    def save(self):
        with open(f'{self.folder}/site.json.tmp', 'w', encoding='utf-8') as file:
            json.dump(self.data, file)
        os.rename(f'{self.folder}/site.json.tmp', f'{self.folder}/site.json')

    def role(self, params):
        key = self.data['keys'].get(params.get('apiKey', ''))
        given = params.pop('signature', '')
        if not key or not hmac.compare_digest(signature(params, key['secret']), given):
            raise Refused(401, 'unable to verify user credentials and/or request signature')
        if params.get('signatureVersion') != '3' or 'expires' not in params:
            raise Refused(401, 'unable to verify user credentials and/or request signature')
        expires = time.strptime(params['expires'], '%Y-%m-%dT%H:%M:%S+0000')
        left = calendar.timegm(expires) - time.time()
        if not 0 < left <= 900:
            raise Refused(401, 'Request expired or too far ahead')
        return key['role']

    def page(self, items, name, params):
        mode, _ = self.mode(params['command'], params)
        size = int(params.get('pagesize', PAGE_MAX))
        if size > PAGE_MAX:
            raise Refused(431, f'Page size can not exceed max allowed page size value: {PAGE_MAX}')
        number = int(params.get('page', 1))
        part = items[size * (number - 1):size * number]
        if not items:
            return {}
        count = len(items)
        if mode == 'short':
            part = part[:-1]
        if mode == 'recount':
            count += 1
        if mode == 'nameless':
            part = [{key: value for key, value in item.items() if key != 'id'} for item in part]
        if mode == 'many':
            part = part * 2000
            count = 999999
        return {'count': count, name: part}

    def answer(self, command, params, role):
        handler = getattr(self, 'do_' + command, None)
        if not handler or (role != 'admin' and not command.startswith(('list', 'query'))):
            raise Refused(432, f'The API [{command}] does not exist or is not available for the '
                          'account.', 9999)
        return handler(params)

    def do_listHosts(self, params):
        hosts = [host for host in self.data['hosts']
                 if params.get('id') in (None, host['id'])
                 and params.get('name', '').lower() in host['name'].lower()
                 and params.get('type') in (None, host['type'])]
        return self.page(hosts, 'host', params)

    def do_listVirtualMachines(self, params):
        by_host = self.data.get('by_host')
        if by_host is None:
            by_host = {}
            for vm in self.data['virtualmachines']:
                by_host.setdefault(vm.get('hostid'), []).append(vm)
            self.data['by_host'] = by_host
        vms = by_host.get(params['hostid'], []) if 'hostid' in params else \
            self.data['virtualmachines']
        if self.data.get('ignores_hostid'):
            vms = self.data['virtualmachines']
        if params.get('projectid') != '-1':
            vms = [vm for vm in vms if 'projectid' not in vm]
        return self.page(vms, 'virtualmachine', params)

    def do_listServiceOfferings(self, params):
        offerings = [offering for offering in self.data['serviceofferings']
                     if params.get('name') in (None, offering['name'])
                     and (params.get('state') == 'all' or offering['state'] == 'Active')]
        return self.page(offerings, 'serviceoffering', params)

    def do_createServiceOffering(self, params):
        details = {}
        index = 0
        while f'serviceofferingdetails[{index}].key' in params:
            details[params[f'serviceofferingdetails[{index}].key']] = \
                params[f'serviceofferingdetails[{index}].value']
            index += 1
        offering = {'id': str(uuid.uuid4()), 'state': 'Active', 'name': params['name'],
                    'displaytext': params['displaytext'], 'serviceofferingdetails': details}
        for name in ('cpunumber', 'cpuspeed', 'memory'):
            if name in params:
                offering[name] = int(params[name])
        for name in ('hosttags', 'vgpuprofileid', 'gpucount'):
            if name in params:
                offering[name] = params[name]
        self.data['serviceofferings'].append(offering)
        self.save()
        return {'serviceoffering': offering}

    def offering(self, ident):
        for offering in self.data['serviceofferings']:
            if offering['id'] == ident:
                return offering
        raise Refused(431, f'no service offering {ident}')

    def job(self, change):
        ident = str(uuid.uuid4())
        self.jobs[ident] = [1, change]
        return {'jobid': ident}

    def do_addResourceDetail(self, params):
        if params['resourcetype'] != 'ServiceOffering':
            raise Refused(431, 'wrong resourcetype')
        details = self.offering(params['resourceid']).setdefault('serviceofferingdetails', {})
        index = 0
        new = {}
        while f'details[{index}].key' in params:
            new[params[f'details[{index}].key']] = params[f'details[{index}].value']
            index += 1
        return self.job(lambda: details.update(new))

    def do_removeResourceDetail(self, params):
        details = self.offering(params['resourceid']).setdefault('serviceofferingdetails', {})
        return self.job(lambda: details.pop(params['key'], None))

    def do_queryAsyncJobResult(self, params):
        job = self.jobs[params['jobid']]
        if self.mode('')[0] == 'job-fails':
            return {'jobstatus': 2, 'jobresult': {'errorcode': 530, 'errortext': 'it failed'}}
        if job[0] > 0:
            job[0] -= 1
            return {'jobstatus': 0}
        job[1]()
        self.save()
        return {'jobstatus': 1, 'jobresult': {'success': True}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    site = None

    def log_message(self, *_):
        pass

    def send(self, status, body, kind='application/json', headers=(), length=None):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        params = dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True))
        command = params.get('command', '')
        mode, value = self.site.mode(command, params)
        with open(f'{self.site.folder}/requests', 'a', encoding='utf-8') as file:
            print(json.dumps(params), file=file)
        try:
            if mode == 'expired':
                raise Refused(401, 'unable to verify user credentials and/or request signature')
            result = self.site.answer(command, params, self.site.role(params))
            status = 200
        except Refused as refusal:
            status = refusal.status
            result = {'uuidList': [], 'errorcode': refusal.status, 'cserrorcode': refusal.code,
                      'errortext': refusal.text}
        body = json.dumps({f'{command.lower()}response': result}).encode()
        if mode == 'html':
            self.send(200, b'<!DOCTYPE html><html><body>Sign in</body></html>', 'text/html')
        elif mode == 'half':
            self.send(200, body[:len(body) // 2])
        elif mode == 'limited':
            self.send(429, b'{"x":1}', headers=[('Retry-After', value or '7')])
        elif mode == 'unavailable':
            self.send(503, b'<html>later</html>', 'text/html')
        elif mode == 'silent':
            time.sleep(3)
            self.close_connection = True
        elif mode == 'huge':
            self.send(200, b' ' * (17 << 20))
        elif mode == 'number':
            self.send(200, b'{"listhostsresponse":5}')
        else:
            self.send(status, body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def main():
    site, folder = sys.argv[1:3]
    Handler.site = Site(site, folder)
    server = Server(('127.0.0.1', int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
    with open(f'{folder}/port.tmp', 'w', encoding='utf-8') as file:
        print(server.server_address[1], file=file)
    os.rename(f'{folder}/port.tmp', f'{folder}/port')
    server.serve_forever()


main()
