#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for CloudMonkey, for tests alone: cmk.py SITE.json VERB NOUN [NAME=VALUE]...

Takes a command only where CloudStack 4.21's API has it, with parameters that it has and all that it
must have, and no value that is empty or jq's null. Prints what is made up of an answer; service
offerings are those of SITE.json, which the stand-in for the management server writes.
"""
import json
import sys

# API: (parameters that must be given, further ones)
APIS = {
    'createAccount': ('email firstname lastname password username',
                      'account accountdetails accountid accounttype domainid networkdomain roleid '
                      'timezone userid'),
    'createRole': ('name', 'description ispublic roleid type'),
    'createRolePermission': ('permission roleid rule', 'description'),
    'createServiceOffering': ('displaytext name',
                              'cpunumber cpuspeed hosttags memory serviceofferingdetails'),
    'createWebhook': ('name payloadurl',
                      'account description domainid projectid scope secretkey sslverification state'),
    'deleteAccount': ('id', ''),
    'deleteRole': ('id', ''),
    'deleteServiceOffering': ('id', ''),
    'deleteWebhook': ('id', ''),
    'deployVirtualMachine': ('serviceofferingid templateid zoneid',
                             'displayname hostid name networkids startvm'),
    'listServiceOfferings': ('', 'id isrecursive keyword listall name page pagesize state'),
    'listVgpuProfiles': ('', 'activeonly gpucardid id keyword name page pagesize'),
    'registerUserKeys': ('id', ''),
    'updateConfiguration': ('name', 'accountid clusterid domainid value zoneid'),
}
ROLE, ACCOUNT, USER, PROFILE = (f'{n}{n}{n}{n}{n}{n}{n}{n}-0000-4000-8000-000000000001' for n in 'cdef')
# What must be one of those that were given out.
MADE = {('createRolePermission', 'roleid'): ROLE, ('createAccount', 'roleid'): ROLE,
        ('registerUserKeys', 'id'): USER}


def check(words):
    name = ''.join(words[:2]).lower()
    api = next((api for api in APIS if api.lower() == name), None)
    if not api:
        sys.exit(f'no API {name}')
    params = dict(word.split('=', 1) for word in words[2:])
    must, may = (text.split() for text in APIS[api])
    for param, value in params.items():
        # A map's: "NAME[0].key".
        if param.split('[')[0] not in must + may:
            sys.exit(f'{api} has no parameter {param}')
        if value in ('', 'null'):
            sys.exit(f'{api}: {param} has no value')
        if MADE.get((api, param), value) != value:
            sys.exit(f'{api}: {param} is {value}')
    for param in must:
        if param not in params:
            sys.exit(f'{api} needs {param}')
    return api, params


def answer(api, params, site):
    wanted = params.get('serviceofferingid')
    offerings = [offering for offering in site['serviceofferings']
                 if (api != 'listServiceOfferings' or params.get('name') in (None, offering['name']))
                 and wanted in (None, offering['id'])]
    if wanted and not offerings:
        sys.exit(f'{api}: no service offering {wanted}')
    return {
        'createRole': {'role': {'id': ROLE}},
        'createAccount': {'account': {'id': ACCOUNT, 'user': [{'id': USER, 'accountid': ACCOUNT}]}},
        'registerUserKeys': {'userkeys': {'apikey': 'reader', 'secretkey': 's/ecret+r~*'}},
        'listVgpuProfiles': {'count': 1, 'vgpuprofile': [{'id': PROFILE, 'name': 'vgpu-gold'}]},
        'listServiceOfferings': {'count': len(offerings), 'serviceoffering': offerings},
    }.get(api, {'success': True})


def main():
    api, params = check(sys.argv[2:])
    with open(sys.argv[1], encoding='utf-8') as file:
        print(json.dumps(answer(api, params, json.load(file)), indent=1))


main()
