/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of times, as worker_protocol.h lays them out: bucket 0 is below 1 us; bucket
 * 1 + 4 o + q holds what is from (1 + q / 4) * 2^o us on; the last holds what is longer, too. So a
 * value that is read back is at most a quarter above what was put in.
 */
#ifndef VGPU_MEDIATORD_HISTOGRAM_H
#define VGPU_MEDIATORD_HISTOGRAM_H

#include "mediatord/worker_protocol.h"

/* All limits of buckets are multiples of a quarter of a microsecond. */
#define HISTOGRAM_QUARTER_NS 250u

/* The bucket of a time. */
static inline unsigned int histogram_bucket(uint64_t ns)
{
	uint64_t quarters = ns / HISTOGRAM_QUARTER_NS;
	unsigned int octave, bucket;

	if (quarters < 4)
		return 0;
	octave = 61u - (unsigned int)__builtin_clzll(quarters);
	bucket = 1 + 4 * octave + (unsigned int)((quarters >> octave) & 3);
	return bucket < VGPU_HISTOGRAM_BUCKETS ? bucket : VGPU_HISTOGRAM_BUCKETS - 1;
}

/* The shortest time of a bucket, in nanoseconds; that of the next one ends it. */
static inline uint64_t histogram_start(unsigned int bucket)
{
	if (bucket == 0)
		return 0;
	return (uint64_t)(4 + (bucket - 1) % 4) * HISTOGRAM_QUARTER_NS << (bucket - 1) / 4;
}

/*
 * The time below which at least `percent` of 100 of what was counted lies, in nanoseconds: where
 * the bucket ends that holds it. For the last bucket, which has no end, its start. 0 where nothing
 * was counted.
 */
static inline uint64_t histogram_percentile(const uint64_t counts[VGPU_HISTOGRAM_BUCKETS],
					    double percent)
{
	uint64_t total = 0, seen = 0;
	unsigned int bucket;

	for (bucket = 0; bucket < VGPU_HISTOGRAM_BUCKETS; bucket++)
		total += counts[bucket];
	if (total == 0)
		return 0;
	for (bucket = 0; bucket < VGPU_HISTOGRAM_BUCKETS - 1; bucket++) {
		seen += counts[bucket];
		if (seen && (double)seen * 100 >= (double)total * percent)
			return histogram_start(bucket + 1);
	}
	return histogram_start(bucket);
}

#endif
