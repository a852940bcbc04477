/* A libnvidia-ml.so.1 without a GPU: it answers from a text file that tests rewrite while it is loaded.
 *
 * FAKE_NVML names the file; it is read again whenever it has changed. Writers rename a new one into place. Its lines:
 *
 *   driver 580.95.05            version of the driver
 *   regime all|zero|mixed|own   which numbers of processes the driver tells in a container (see numbers_of)
 *   offset 100000               what is added to a process's number to make its number on the host
 *   log 1                       every call appends its name to FILE.calls
 *   gpu uuid=… name=A_B total=… used=… reserved=… util=… power=… limit=… temp=… energy=… mig=0 gpm=0
 *   slice gpu=0 uuid=… name=… gi=1 ci=0 total=… used=… shares=1 util=0
 *   proc gpu=0 pid=… mem=… sm=… gi=-1 foreign=0 graphics=0
 *   error name=nvmlDeviceGetPowerUsage gpu=-1 code=3
 *   delay name=nvmlDeviceGetUtilizationRates gpu=-1 seconds=0.5
 *
 * Processes may add themselves with a file FILE.d/ANYTHING that holds `proc` lines. A process counts while it lives,
 * unless it is `foreign`, one of another container. Its memory is added to that of its GPU.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OK, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { GPUS = 16, SLICES = 64, PROCS = 256, RULES = 64 };
typedef unsigned long long u64;
typedef unsigned int u32;
typedef struct { char uuid[96], name[96]; u64 total, used, reserved, energy; int util, power, limit, temp, mig, gpm; } Gpu;
typedef struct { char uuid[96], name[96]; u64 total, used; int gpu, gi, ci, shares, util; } Slice;
typedef struct { int gpu, pid, gi, sm, foreign, graphics; u64 mem; } Proc;
typedef struct { char name[64]; int gpu, code; double seconds; } Rule;
static struct {
    char driver[80], regime[16];
    int offset, log, gpus, slices, procs, fixed, rules;
    Gpu gpu[GPUS]; Slice slice[SLICES]; Proc proc[PROCS]; Rule rule[RULES];
} S;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat seen;

static const char *path(void) { const char *p = getenv("FAKE_NVML"); return p ? p : "/nonexistent"; }

static char *field(const char *line, const char *key, char *out, size_t size) {
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *at = strstr(line, wanted);
    *out = 0;
    if (at) {
        at += strlen(wanted);
        snprintf(out, size, "%.*s", (int)strcspn(at, " \n"), at);
    }
    return out;
}

static double number(const char *line, const char *key, double otherwise) {
    char text[64];
    return *field(line, key, text, sizeof text) ? strtod(text, NULL) : otherwise;
}

static void name_of(const char *line, char *out, size_t size) {
    field(line, "name", out, size);
    for (; *out; out++) if (*out == '_') *out = ' ';
}

static void read_proc(const char *line) {
    if (S.procs == PROCS) return;
    Proc *p = &S.proc[S.procs++];
    p->gpu = number(line, "gpu", 0); p->pid = number(line, "pid", 0); p->mem = number(line, "mem", 0);
    p->sm = number(line, "sm", 0); p->gi = number(line, "gi", -1); p->foreign = number(line, "foreign", 0);
    p->graphics = number(line, "graphics", 0);
}

static void read_line(const char *line) {
    if (!strncmp(line, "driver ", 7)) sscanf(line + 7, "%79s", S.driver);
    else if (!strncmp(line, "regime ", 7)) sscanf(line + 7, "%15s", S.regime);
    else if (!strncmp(line, "offset ", 7)) S.offset = atoi(line + 7);
    else if (!strncmp(line, "log ", 4)) S.log = atoi(line + 4);
    else if (!strncmp(line, "proc ", 5)) read_proc(line);
    else if (!strncmp(line, "gpu ", 4) && S.gpus < GPUS) {
        Gpu *g = &S.gpu[S.gpus++];
        field(line, "uuid", g->uuid, sizeof g->uuid); name_of(line, g->name, sizeof g->name);
        g->total = number(line, "total", 0); g->used = number(line, "used", 0);
        g->reserved = number(line, "reserved", 0); g->energy = number(line, "energy", 0);
        g->util = number(line, "util", 0); g->power = number(line, "power", 0); g->limit = number(line, "limit", 0);
        g->temp = number(line, "temp", 0); g->mig = number(line, "mig", 0);
        g->gpm = number(line, "gpm", 0);
    } else if (!strncmp(line, "slice ", 6) && S.slices < SLICES) {
        Slice *s = &S.slice[S.slices++];
        field(line, "uuid", s->uuid, sizeof s->uuid); name_of(line, s->name, sizeof s->name);
        s->gpu = number(line, "gpu", 0); s->gi = number(line, "gi", 0); s->ci = number(line, "ci", 0);
        s->total = number(line, "total", 0); s->used = number(line, "used", 0); s->shares = number(line, "shares", 1);
        s->util = number(line, "util", 0);
    } else if ((!strncmp(line, "error ", 6) || !strncmp(line, "delay ", 6)) && S.rules < RULES) {
        Rule *r = &S.rule[S.rules++];
        field(line, "name", r->name, sizeof r->name);
        r->gpu = number(line, "gpu", -1); r->code = number(line, "code", 0); r->seconds = number(line, "seconds", 0);
    }
}

static void read_file(const char *name, int only_procs) {
    char line[1024];
    FILE *file = fopen(name, "r");
    if (!file) return;
    while (fgets(line, sizeof line, file)) if (!only_procs || !strncmp(line, "proc ", 5)) read_line(line);
    fclose(file);
}

static void read_all(void) {
    struct stat now;
    char folder[4096], name[8192];
    if (stat(path(), &now) == 0 && (now.st_ino != seen.st_ino || now.st_size != seen.st_size ||
                                    memcmp(&now.st_mtim, &seen.st_mtim, sizeof now.st_mtim))) {
        memset(&S, 0, sizeof S);
        read_file(path(), 0);
        S.fixed = S.procs;
        seen = now;
    }
    S.procs = S.fixed;
    snprintf(folder, sizeof folder, "%s.d", path());
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
            read_file(name, 1);
        }
    closedir(dir);
}

static void log_call(const char *name) {
    char file[4096], line[128];
    snprintf(file, sizeof file, "%s.calls", path());
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600), n = snprintf(line, sizeof line, "%s\n", name);
    if (fd < 0) return;
    if (write(fd, line, n) != n) perror("fake_nvml");
    close(fd);
}

/* What comes first in every call: the file is read, the call logged, its delays slept, its errors given. */
static int enter(const char *name, int gpu) {
    double seconds = 0;
    int code = OK;
    pthread_mutex_lock(&lock);
    read_all();
    if (S.log) log_call(name);
    for (int i = 0; i < S.rules; i++) {
        Rule *r = &S.rule[i];
        if ((strcmp(r->name, name) && strcmp(r->name, "*")) || (r->gpu >= 0 && r->gpu != gpu)) continue;
        if (!strcmp(r->name, "*") && gpu < 0) continue;
        seconds += r->seconds;
        if (r->code) code = r->code;
    }
    pthread_mutex_unlock(&lock);
    if (seconds > 0) {
        struct timespec wait = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
        nanosleep(&wait, NULL);
    }
    if (code == OK && gpu >= S.gpus) code = INVALID_ARGUMENT;
    return code;
}

static int alive(const Proc *p) {
    char name[64], state = 'Z';
    if (p->foreign) return 1;
    snprintf(name, sizeof name, "/proc/%d/stat", p->pid);
    FILE *file = fopen(name, "r");
    if (!file) return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'Z';
    fclose(file);
    return state != 'Z' && state != 'X';
}

/* Which numbers a container sees: `all` the host's, of everybody (before 535); `zero` its own, with memory 0 (535-560);
 * `mixed` its own, but the host's in the samples (565-570.133); `own` its own throughout (570.148 and later). */
static int listed(const Proc *p, int *pid, u64 *mem) {
    int all = !*S.regime || !strcmp(S.regime, "all");
    *pid = all ? p->pid + S.offset : p->pid;
    *mem = !strcmp(S.regime, "zero") ? 0 : p->mem;
    return (all || !p->foreign) && alive(p);
}

static int sampled(const Proc *p, int *pid) {
    int own = !strcmp(S.regime, "own");
    *pid = own ? p->pid : p->pid + S.offset;
    return p->sm > 0 && !(own && p->foreign) && alive(p);
}

/* Handles: a GPU is its number + 1, a slice its place in the file + 1000. */
static int slice_of(const void *h) { return (long)h >= 1000 ? (int)((long)h - 1000) : -1; }
static int gpu_of(const void *h) { int s = slice_of(h); return s >= 0 ? S.slice[s].gpu : (int)((long)h - 1); }

static u64 held(int gpu, int gi) {
    u64 sum = 0;
    for (int i = 0; i < S.procs; i++) {
        Proc *p = &S.proc[i];
        if (p->gpu == gpu && (gi < 0 || p->gi == gi) && alive(p)) sum += p->mem;
    }
    return sum;
}

#define CALL(symbol, ...) int symbol(__VA_ARGS__)
#define ENTER(gpu) do { int code = enter(__func__, gpu); if (code) return code; } while (0)
#define BEGIN(h) ENTER(gpu_of(h)); Gpu *g = &S.gpu[gpu_of(h)]; int slice = slice_of(h); (void)g; (void)slice

CALL(nvmlInitWithFlags, u32 flags) { (void)flags; ENTER(-1); return OK; }
CALL(nvmlInit_v2, void) { ENTER(-1); return OK; }
CALL(nvmlShutdown, void) { ENTER(-1); return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the fake driver"; }
CALL(nvmlSystemGetDriverVersion, char *out, u32 n) { ENTER(-1); snprintf(out, n, "%s", S.driver); return OK; }
CALL(nvmlSystemGetNVMLVersion, char *out, u32 n) { ENTER(-1); snprintf(out, n, "13.%s", S.driver); return OK; }
CALL(nvmlSystemGetCudaDriverVersion_v2, int *out) { ENTER(-1); *out = 13000; return OK; }
CALL(nvmlSystemGetCudaDriverVersion, int *out) { ENTER(-1); *out = 13000; return OK; }
CALL(nvmlDeviceGetCount_v2, u32 *out) { ENTER(-1); *out = S.gpus; return OK; }
CALL(nvmlDeviceGetHandleByIndex_v2, u32 index, void **out) { ENTER((int)index); *out = (void *)(long)(index + 1); return OK; }
CALL(nvmlDeviceGetHandleByUUID, const char *uuid, void **out) {
    ENTER(-1);
    for (int i = 0; i < S.gpus; i++) if (!strcmp(S.gpu[i].uuid, uuid)) { *out = (void *)(long)(i + 1); return OK; }
    for (int i = 0; i < S.slices; i++) if (!strcmp(S.slice[i].uuid, uuid)) { *out = (void *)(long)(i + 1000); return OK; }
    return NOT_FOUND;
}
CALL(nvmlDeviceGetName, void *h, char *out, u32 n) { BEGIN(h); snprintf(out, n, "%s", slice < 0 ? g->name : S.slice[slice].name); return OK; }
CALL(nvmlDeviceGetUUID, void *h, char *out, u32 n) { BEGIN(h); snprintf(out, n, "%s", slice < 0 ? g->uuid : S.slice[slice].uuid); return OK; }
CALL(nvmlDeviceGetIndex, void *h, u32 *out) { BEGIN(h); *out = gpu_of(h); return OK; }
CALL(nvmlDeviceGetMinorNumber, void *h, u32 *out) { BEGIN(h); *out = gpu_of(h); return OK; }
CALL(nvmlDeviceGetCudaComputeCapability, void *h, int *major, int *minor) { BEGIN(h); *major = 9; *minor = 0; return OK; }
CALL(nvmlDeviceIsMigDeviceHandle, void *h, u32 *out) { BEGIN(h); *out = slice >= 0; return OK; }

typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
CALL(nvmlDeviceGetPciInfo_v3, void *h, Pci *out) {
    BEGIN(h);
    memset(out, 0, sizeof *out);
    out->bus = 0x10 + gpu_of(h);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus);
    return OK;
}

static void memory(const void *h, u64 *total, u64 *reserved, u64 *used) {
    int slice = slice_of(h), gpu = gpu_of(h);
    *total = slice < 0 ? S.gpu[gpu].total : S.slice[slice].total;
    *reserved = slice < 0 ? S.gpu[gpu].reserved : 0;
    *used = slice < 0 ? S.gpu[gpu].used + held(gpu, -1) : S.slice[slice].used + held(gpu, S.slice[slice].gi);
}
CALL(nvmlDeviceGetMemoryInfo, void *h, u64 *out) {
    BEGIN(h);
    u64 reserved;
    memory(h, &out[0], &reserved, &out[2]);
    out[2] += reserved;
    out[1] = out[0] - out[2];
    return OK;
}
typedef struct { u32 version; u64 total, reserved, free, used; } MemoryV2;
CALL(nvmlDeviceGetMemoryInfo_v2, void *h, MemoryV2 *out) {
    BEGIN(h);
    if (out->version != 0x2000028) return 25;
    memory(h, &out->total, &out->reserved, &out->used);
    out->free = out->total - out->reserved - out->used;
    return OK;
}
CALL(nvmlDeviceGetUtilizationRates, void *h, u32 *out) {
    BEGIN(h);
    if (g->mig || slice >= 0) return NOT_SUPPORTED;
    out[0] = g->util; out[1] = g->util / 2;
    return OK;
}
CALL(nvmlDeviceGetPowerUsage, void *h, u32 *out) { BEGIN(h); *out = g->power; return slice < 0 ? OK : NOT_SUPPORTED; }
CALL(nvmlDeviceGetEnforcedPowerLimit, void *h, u32 *out) { BEGIN(h); *out = g->limit; return slice < 0 ? OK : NOT_SUPPORTED; }
CALL(nvmlDeviceGetPowerManagementLimit, void *h, u32 *out) { BEGIN(h); *out = g->limit; return OK; }
CALL(nvmlDeviceGetTotalEnergyConsumption, void *h, u64 *out) { BEGIN(h); *out = g->energy; return g->energy ? OK : NOT_SUPPORTED; }
CALL(nvmlDeviceGetTemperature, void *h, u32 sensor, u32 *out) { (void)sensor; BEGIN(h); *out = g->temp; return OK; }
typedef struct { u32 version, sensor; int value; } Temperature;
CALL(nvmlDeviceGetTemperatureV, void *h, Temperature *out) {
    BEGIN(h);
    if (out->version != 0x100000c) return 25;
    out->value = g->temp;
    return OK;
}

typedef struct { u32 pid; u64 memory; u32 gi, ci; } Process;
static int processes(const void *h, int graphics, u32 *count, Process *out) {
    u32 room = *count, n = 0;
    int slice = slice_of(h), pid;
    u64 mem;
    for (int i = 0; i < S.procs; i++) {
        Proc *p = &S.proc[i];
        if (p->gpu != gpu_of(h) || p->graphics != graphics || (slice >= 0 && p->gi != S.slice[slice].gi)) continue;
        if (!listed(p, &pid, &mem)) continue;
        if (out && n < room) out[n] = (Process){pid, mem, (u32)p->gi, p->gi < 0 ? (u32)-1 : 0};
        n++;
    }
    *count = n;
    return n > room ? INSUFFICIENT_SIZE : OK;
}
CALL(nvmlDeviceGetComputeRunningProcesses_v3, void *h, u32 *n, Process *out) { BEGIN(h); return processes(h, 0, n, out); }
CALL(nvmlDeviceGetComputeRunningProcesses_v2, void *h, u32 *n, Process *out) { BEGIN(h); return processes(h, 0, n, out); }
CALL(nvmlDeviceGetGraphicsRunningProcesses_v3, void *h, u32 *n, Process *out) { BEGIN(h); return processes(h, 1, n, out); }
CALL(nvmlDeviceGetGraphicsRunningProcesses_v2, void *h, u32 *n, Process *out) { BEGIN(h); return processes(h, 1, n, out); }
CALL(nvmlDeviceGetMPSComputeRunningProcesses_v3, void *h, u32 *n, Process *out) { (void)out; BEGIN(h); *n = 0; return OK; }

typedef struct { u32 pid; u64 time; u32 sm, memory, encoder, decoder; } Usage;
CALL(nvmlDeviceGetProcessUtilization, void *h, Usage *out, u32 *count, u64 since) {
    BEGIN(h);
    struct timespec now;
    u32 n = 0;
    int pid;
    (void)since;
    if (g->mig || slice >= 0) return NOT_SUPPORTED;
    if (!out) { *count = 100; return INSUFFICIENT_SIZE; }
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < S.procs && n < *count; i++)
        if (S.proc[i].gpu == gpu_of(h) && sampled(&S.proc[i], &pid))
            out[n++] = (Usage){pid, now.tv_sec * 1000000ULL + now.tv_nsec / 1000, S.proc[i].sm, 1, 0, 0};
    *count = n;
    return n ? OK : NOT_FOUND;
}

CALL(nvmlDeviceGetNvLinkVersion, void *h, u32 link, u32 *out) { (void)link; (void)out; BEGIN(h); return NOT_SUPPORTED; }
CALL(nvmlDeviceGetMaxPcieLinkGeneration, void *h, u32 *out) { BEGIN(h); *out = 5; return OK; }
CALL(nvmlDeviceGetPcieThroughput, void *h, u32 counter, u32 *out) { (void)counter; BEGIN(h); *out = 1000; return OK; }

CALL(nvmlDeviceGetMigMode, void *h, u32 *now, u32 *pending) { BEGIN(h); *now = *pending = g->mig; return OK; }
CALL(nvmlDeviceGetMaxMigDeviceCount, void *h, u32 *out) { BEGIN(h); *out = g->mig ? 7 : 0; return OK; }
CALL(nvmlDeviceGetMigDeviceHandleByIndex, void *h, u32 index, void **out) {
    BEGIN(h);
    for (int i = 0; i < S.slices; i++)
        if (S.slice[i].gpu == gpu_of(h) && index-- == 0) { *out = (void *)(long)(i + 1000); return OK; }
    return NOT_FOUND;
}
CALL(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, void *h, void **out) { BEGIN(h); *out = (void *)(long)(gpu_of(h) + 1); return OK; }
CALL(nvmlDeviceGetGpuInstanceId, void *h, u32 *out) { BEGIN(h); if (slice < 0) return INVALID_ARGUMENT; *out = S.slice[slice].gi; return OK; }
CALL(nvmlDeviceGetComputeInstanceId, void *h, u32 *out) { BEGIN(h); if (slice < 0) return INVALID_ARGUMENT; *out = S.slice[slice].ci; return OK; }
typedef struct { u32 processors, copy, decoders, encoders, jpeg, ofa, gpu_shares, compute_shares; u64 megabytes; } Attributes;
CALL(nvmlDeviceGetAttributes_v2, void *h, Attributes *out) {
    BEGIN(h);
    if (slice < 0) return NOT_SUPPORTED;
    *out = (Attributes){.gpu_shares = S.slice[slice].shares, .compute_shares = S.slice[slice].shares,
                        .megabytes = S.slice[slice].total >> 20};
    return OK;
}

/* Counters of instances: a reading is the load at its moment, and so is what lies between two. */
typedef struct { int util; } Reading;
typedef struct { u32 id; int code; double value; const char *names[3]; } Metric;
typedef struct { u32 version, count; Reading *before, *after; Metric metric[]; } Metrics;
CALL(nvmlGpmQueryDeviceSupport, void *h, u32 *out) { BEGIN(h); if (out[0] != 1) return 25; out[1] = g->gpm; return OK; }
CALL(nvmlGpmSampleAlloc, Reading **out) { ENTER(-1); *out = calloc(1, sizeof **out); return OK; }
CALL(nvmlGpmSampleFree, Reading *reading) { ENTER(-1); free(reading); return OK; }
CALL(nvmlGpmMigSampleGet, void *h, u32 gi, Reading *out) {
    BEGIN(h);
    if (!g->gpm || !g->mig) return NOT_SUPPORTED;
    for (int i = 0; i < S.slices; i++)
        if (S.slice[i].gpu == gpu_of(h) && S.slice[i].gi == (int)gi) { out->util = S.slice[i].util; return OK; }
    return NOT_FOUND;
}
CALL(nvmlGpmMetricsGet, Metrics *out) {
    ENTER(-1);
    if (out->version != 1 || !out->before) return INVALID_ARGUMENT;
    for (u32 i = 0; i < out->count; i++) {
        out->metric[i].code = out->metric[i].id == 1 ? OK : NOT_SUPPORTED;
        out->metric[i].value = out->after->util;
    }
    return OK;
}
