/* Puts an emulated chip behind /dev/spidev*, for programs that are started with this library in LD_PRELOAD.
 *
 * The node becomes a UNIX stream socket, whose path is in SPECKLED_SPIDEV, and every ioctl on it a question over that
 * socket: first its number and the length of what follows (two 32-bit integers), then the argument. The answer is the
 * result (a negative errno, or what ioctl returns) and the length of what follows, then the data. Of an SPI message the
 * question holds, for each transfer, its length and whether chip select is released after it, then all bytes to send; the
 * answer holds all bytes received. `serve.py` is the other side. Byte order and sizes are those of this machine, 64-bit only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NODE "/dev/spidev"
#define DESCRIPTORS 65536

_Static_assert(sizeof(void *) == 8, "64-bit only");

struct header { uint32_t number, length; };
struct answer { int32_t result; uint32_t length; };
struct part { uint32_t length, released; };

static unsigned char is_node[DESCRIPTORS];
static pthread_mutex_t line = PTHREAD_MUTEX_INITIALIZER; /* one question at a time, whatever threads do */

/* The functions behind ours. They are looked up before the program begins: dlsym waits for the loader's lock, and a library
 * whose constructor waits for a thread that calls close (lttng-ust, which libcamera is linked to) would then wait for ever. */
#define BEHIND(X) \
    X(ioctl) X(close) X(open) X(open64) X(openat) X(openat64) X(stat) X(stat64) X(fstatat) X(fstatat64) X(access) X(faccessat)
enum {
#define NUMBER(name) behind_##name,
    BEHIND(NUMBER) behind_count
};
static const char *const names[] = {
#define NAME(name) #name,
    BEHIND(NAME)
};
static void *found[behind_count];

__attribute__((constructor)) static void look_up(void) {
    for (int i = 0; i < behind_count; i++) found[i] = dlsym(RTLD_NEXT, names[i]);
}

/* A library that is loaded before this one may call earlier still. */
static void *behind(int number) { return found[number] ? found[number] : dlsym(RTLD_NEXT, names[number]); }
#define next(name) behind(behind_##name)

static int names_node(const char *path) { return path && !strncmp(path, NODE, sizeof NODE - 1); }

static int ours(int descriptor) { return descriptor >= 0 && descriptor < DESCRIPTORS && is_node[descriptor]; }

static int move_all(int descriptor, char *data, size_t size, int sending) {
    while (size) {
        ssize_t done = sending ? send(descriptor, data, size, MSG_NOSIGNAL) : recv(descriptor, data, size, 0);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return -1;
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

static int connect_node(void) {
    const char *path = getenv("SPECKLED_SPIDEV");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof address.sun_path) { errno = ENOENT; return -1; }
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int32_t opened = -ENODEV;
    if (descriptor >= DESCRIPTORS || connect(descriptor, (struct sockaddr *)&address, sizeof address) ||
        move_all(descriptor, (char *)&opened, sizeof opened, 0) || opened < 0) {
        close(descriptor);
        errno = opened < 0 ? -opened : ENODEV;
        return -1;
    }
    is_node[descriptor] = 1;
    return descriptor;
}

/* Ask, and put at most `room` bytes of the answer into `data`; the result, or -1 with errno. */
static int ask(int descriptor, uint32_t number, const void *argument, uint32_t length, void *data, uint32_t room) {
    struct header question = {number, length};
    struct answer reply;
    int result = -1;
    pthread_mutex_lock(&line);
    if (move_all(descriptor, (char *)&question, sizeof question, 1) ||
        move_all(descriptor, (char *)argument, length, 1) ||
        move_all(descriptor, (char *)&reply, sizeof reply, 0) || reply.length > room ||
        move_all(descriptor, data, reply.length, 0)) {
        errno = ENODEV;
    } else if (reply.result < 0) {
        errno = -reply.result;
    } else {
        result = reply.result;
    }
    pthread_mutex_unlock(&line);
    return result;
}

static int message(int descriptor, uint32_t number, struct spi_ioc_transfer *transfers, size_t count) {
    size_t bytes = 0, place = 0;
    for (size_t i = 0; i < count; i++) bytes += transfers[i].len;
    size_t size = count * sizeof(struct part) + bytes;
    char *question = calloc(1, size + 1), *received = calloc(1, bytes + 1);
    int result = -1;
    if (!question || !received) {
        errno = ENOMEM;
    } else {
        struct part *parts = (struct part *)question;
        char *sent = question + count * sizeof(struct part);
        for (size_t i = 0; i < count; place += transfers[i++].len) {
            int last = i == count - 1;
            parts[i] = (struct part){transfers[i].len, last ? !transfers[i].cs_change : transfers[i].cs_change};
            if (transfers[i].tx_buf) memcpy(sent + place, (void *)(uintptr_t)transfers[i].tx_buf, transfers[i].len);
        }
        result = ask(descriptor, number, question, (uint32_t)size, received, (uint32_t)bytes);
        place = 0;
        for (size_t i = 0; result >= 0 && i < count; place += transfers[i++].len)
            if (transfers[i].rx_buf) memcpy((void *)(uintptr_t)transfers[i].rx_buf, received + place, transfers[i].len);
    }
    if (question) explicit_bzero(question, size);
    if (received) explicit_bzero(received, bytes);
    free(question);
    free(received);
    return result;
}

int ioctl(int descriptor, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (!ours(descriptor)) return ((int (*)(int, unsigned long, void *))next(ioctl))(descriptor, request, argument);
    uint32_t number = (uint32_t)request;
    if (_IOC_TYPE(number) != SPI_IOC_MAGIC) { errno = ENOTTY; return -1; }
    if (_IOC_NR(number) == 0) return message(descriptor, number, argument, _IOC_SIZE(number) / sizeof(struct spi_ioc_transfer));
    if (_IOC_DIR(number) & _IOC_WRITE) return ask(descriptor, number, argument, _IOC_SIZE(number), NULL, 0);
    return ask(descriptor, number, NULL, 0, argument, _IOC_SIZE(number));
}

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) is_node[descriptor] = 0;
    return ((int (*)(int))next(close))(descriptor);
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...) {                                       \
        va_list list;                                                                  \
        va_start(list, flags);                                                         \
        mode_t mode = mode_of(flags, list);                                            \
        va_end(list);                                                                  \
        if (names_node(path)) return connect_node();                                   \
        return ((int (*)(const char *, int, ...))next(name))(path, flags, mode);      \
    }
#define OPEN_AT(name)                                                                           \
    int name(int folder, const char *path, int flags, ...) {                                    \
        va_list list;                                                                           \
        va_start(list, flags);                                                                  \
        mode_t mode = mode_of(flags, list);                                                     \
        va_end(list);                                                                           \
        if (names_node(path)) return connect_node();                                            \
        return ((int (*)(int, const char *, int, ...))next(name))(folder, path, flags, mode);  \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

/* Programs that look at the node before they open it see a character device that they may read. */
static const char *seen(const char *path) { return names_node(path) ? "/dev/null" : path; }

int stat(const char *path, struct stat *into) {
    return ((int (*)(const char *, struct stat *))next(stat))(seen(path), into);
}
int stat64(const char *path, struct stat64 *into) {
    return ((int (*)(const char *, struct stat64 *))next(stat64))(seen(path), into);
}
int fstatat(int folder, const char *path, struct stat *into, int flags) {
    return ((int (*)(int, const char *, struct stat *, int))next(fstatat))(folder, seen(path), into, flags);
}
int fstatat64(int folder, const char *path, struct stat64 *into, int flags) {
    return ((int (*)(int, const char *, struct stat64 *, int))next(fstatat64))(folder, seen(path), into, flags);
}
int access(const char *path, int mode) { return ((int (*)(const char *, int))next(access))(seen(path), mode); }
int faccessat(int folder, const char *path, int mode, int flags) {
    return ((int (*)(int, const char *, int, int))next(faccessat))(folder, seen(path), mode, flags);
}
