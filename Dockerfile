# Two images without a shell, a package manager or anything else to borrow. `npm run image` prepares the folder that is
# their context, dist/image/ARCH, and builds them.
#
# The root is a handful of Debian packages (root.tar, made by mmdebstrap), so that no image registry is needed. Where one
# is reachable: --build-arg BASE=<a distroless base with glibc and libstdc++>.
ARG BASE=scratch

FROM ${BASE} AS base
ADD root.tar /
COPY node /usr/local/bin/node
COPY bundle /kubesentry
LABEL org.opencontainers.image.title="kubesentry" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Detects and stops cryptomining in Kubernetes"

# The webhook writes nothing and needs no right: any user, read-only root.
# What a storm of reviews took and freed goes back to the system instead of leaving holes: 70 MB less after it.
# --expose-gc: half a minute after a storm it collects, instead of minutes later (collect-in-calm.ts).
# A review runs through sixty small functions: where V8 may inline more of them than by default (920) it takes 3 % less.
FROM base AS webhook
ENV MALLOC_ARENA_MAX=1
ENV MALLOC_MMAP_THRESHOLD_=131072
ENV MALLOC_TRIM_THRESHOLD_=65536
ENTRYPOINT ["/usr/local/bin/node", "--expose-gc", "--max-semi-space-size=16", "--max-inlined-bytecode-size-cumulative=2500", "/kubesentry/kubesentry.mjs"]
USER 65532:65532
CMD ["webhook"]

# It runs on every node, so that memory counts. What it remembers lives for seconds, among what lives for ever: without
# --optimize-for-size V8 leaves the survivors where they are unless a page is 70 % free, and the heap goes on growing
# though no more of it is used. Maglev is compiler enough: TurboFan takes 5 MB more, for a tenth less CPU where the load
# is low and none where it is high. One malloc arena is enough for threads that hardly allocate.
# The agent loads eBPF programs and reads other processes: uid 0, with the few capabilities that its manifest names.
FROM base AS agent
ENV MALLOC_ARENA_MAX=1
# What libbpf reads at start, a compiler's work, a burst of reports: it goes back to the system instead of leaving holes.
ENV MALLOC_MMAP_THRESHOLD_=16384
ENV MALLOC_TRIM_THRESHOLD_=65536
ENTRYPOINT ["/usr/local/bin/node", "--optimize-for-size", "--max-opt=2", "/kubesentry/kubesentry.mjs"]
USER 0:0
CMD ["agent"]
