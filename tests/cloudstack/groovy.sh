#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Groovy script as agents before 4.21 run it: by a script engine, with a logger and the XML. What
# fails gives the XML as it was, and says so in the agent's log.
# shellcheck source=tests/cloudstack/agent.bash
. "${top_srcdir:?run by make check}/tests/cloudstack/agent.bash"
command -v groovy >/dev/null || {
	echo "groovy is missing (Debian: groovy)"
	exit 77
}
cat >"$work/agent.groovy" <<'END'
class Logger {
	void warn(Object text) { System.err.println('WARN ' + text) }
}
def hook = new GroovyScriptEngine(args[0]).run('libvirt-vm-xml-transformer.groovy', new Binding())
def xml = new File(args[1]).getText('UTF-8')
new File(args[2]).setText((String) hook.invokeMethod('transform', [new Logger(), xml] as Object[]), 'UTF-8')
END

# engine PROGRAM XML: what the agent starts, in $work/new; its log is in $work/log.
engine() {
	mkdir -p "$work/hooks"
	sed "s|PROGRAM = '.*'|PROGRAM = '$1'|" \
		"$top_builddir/cloudstack-plugin/libvirt-vm-xml-transformer.groovy" \
		>"$work/hooks/libvirt-vm-xml-transformer.groovy"
	printf %s "$2" >"$work/old"
	groovy "$work/agent.groovy" "$work/hooks" "$work/old" "$work/new" >"$work/log" 2>&1 ||
		failed "the engine: $(cat "$work/log")"
}

printf '#!/bin/sh\nexec %s transform --seats %s "$2" "$3"\n' "$program" "$work/seats.json" >"$work/program"
printf '#!/bin/sh\nexit 1\n' >"$work/failing"
chmod +x "$work/program" "$work/failing"
xml=$(cat "$top_srcdir/tests/xml/data/cloudstack.xml")
xml=${xml/Debian GNU/Dëbian 🖥 GNU}
hostdev="<hostdev mode='subsystem' type='mdev'><source><address uuid='$gold'/></source></hostdev>"
with=${xml/<graphics/$hostdev<graphics}

engine "$work/program" "$with"
[ "$(xmllint --xpath 'string(//*[local-name()="vgpu"]/@seat)' "$work/new")" = $gold ] ||
	failed "no vGPU: $(cat "$work/new")"
[[ $(xmllint --xpath 'string(//description)' "$work/new") == 'Dëbian 🖥 GNU'* ]] ||
	failed "the description: $(cat "$work/new")"
[ ! -s "$work/log" ] || failed "said $(cat "$work/log")"
engine "$work/program" "$xml"
cmp "$work/old" "$work/new" || failed "XML without a seat was changed"
for bad in "$work/failing" "$work/nobody"; do
	engine "$bad" "$with"
	cmp "$work/old" "$work/new" || failed "$bad: changed"
	grep -q '^WARN .*the domain stays as it is' "$work/log" || failed "$bad: said $(cat "$work/log")"
done
engine "$work/program" "$with<!--$(head -c 140000 /dev/zero | tr '\0' x)-->"
cmp "$work/old" "$work/new" || failed "too long an argument: changed"
finish
