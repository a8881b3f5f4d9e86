# SPDX-License-Identifier: Apache-2.0
dist_doc_DATA += docs/device-spec.md
dist_doc_DATA += docs/benchmarks.md
dist_doc_DATA += docs/channel-spec.md
dist_doc_DATA += docs/cloudstack-offerings.md
dist_doc_DATA += docs/scheduling.md
dist_doc_DATA += docs/head-to-head.svg
dist_doc_DATA += docs/migration.md
