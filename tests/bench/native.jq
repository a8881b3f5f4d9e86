# SPDX-License-Identifier: Apache-2.0
# Puts native measurements beside those of `vgpu-agent bench --json`, which come in; $native has what
# tests/gpu/backend-check wrote (docs/benchmarks.md has its shape), or null where there are none.
# What it lacks, and what it measured with other sizes, is null.

def positive: type == "number" and . > 0;

def is_rates: type == "array" and all(.[]; type == "object" and (.bytes | positive) and (.gb_per_s | positive));

def is_native:
	type == "object" and all(.h2d, .d2h; . == null or is_rates)
	and (.launch_sync | . == null or (type == "object" and (.p50_us | positive)))
	and (.vector_add | . == null or (type == "object" and (.elements | positive) and (.us | positive)));

def beside(rates): map(.bytes as $bytes
	| .native_gb_per_s = ((rates // []) | map(select(.bytes == $bytes)) | first | .gb_per_s?));

($native // {}) as $native
| if $native | is_native | not then error("these are no native measurements") else . end
| .h2d |= beside($native.h2d)
| .d2h |= beside($native.d2h)
| .launch_sync |= if . then .native_p50_us = $native.launch_sync.p50_us else . end
| .vector_add |= (.native_us = if .elements == $native.vector_add.elements then $native.vector_add.us else null end)
