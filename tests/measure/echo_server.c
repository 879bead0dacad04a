/* A minimal server for measuring clients: one thread, epoll, keep-alive.
 * It reads each request to its end (Content-Length) and responds with one prediction.
 * With PAUSE_MS it waits so long before it accepts connections, which leaves the cores to the client
 * while a wave starts.
 * usage: echo_server PORT [PAUSE_MS] */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FILES = 65536, HEAD_BYTES = 4096, EVENTS = 512 };

static const char BODY[] = "{\"predictions\":[{\"label\":\"echo\",\"probability\":1}],\"model\":\"echo\"}";

struct connection {
    size_t held;         /* bytes in head */
    long body_left;      /* bytes of the body still to come; -1: the head is not complete */
    int closes;          /* the client asked for it */
    char head[HEAD_BYTES + 1];
};

static struct connection *connections[MAX_FILES];
static char scratch[1 << 20];

static void drop(int file) {
    close(file);
    free(connections[file]);
    connections[file] = NULL;
}

/* 1: the connection goes on, 0: it is over */
static int answer(int file, struct connection *c) {
    char text[512];
    int length = snprintf(text, sizeof text,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
        sizeof BODY - 1, c->closes ? "Connection: close\r\n" : "", BODY);
    int closes = c->closes;
    c->held = 0;
    c->body_left = -1;
    c->closes = 0;
    return write(file, text, (size_t)length) == length && !closes;
}

static int take(int file, struct connection *c, const char *data, size_t size) {
    while (size > 0) {
        if (c->body_left < 0) {
            size_t part = size < HEAD_BYTES - c->held ? size : HEAD_BYTES - c->held;
            if (part == 0) return 0;
            memcpy(c->head + c->held, data, part);
            size_t before = c->held;
            c->held += part;
            c->head[c->held] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end) {
                data += part;
                size -= part;
                continue;
            }
            size_t used = (size_t)(end - c->head) + 4 - before;
            data += used;
            size -= used;
            *end = 0;
            char *length = strcasestr(c->head, "\r\ncontent-length:");
            c->body_left = length ? strtol(length + 17, NULL, 10) : 0;
            c->closes = strcasestr(c->head, "\r\nconnection: close") != NULL;
        } else {
            size_t part = size < (size_t)c->body_left ? size : (size_t)c->body_left;
            c->body_left -= (long)part;
            data += part;
            size -= part;
        }
        if (c->body_left == 0 && !answer(file, c)) return 0;
    }
    return 1;
}

int main(int count, char **arguments) {
    int port = count > 1 ? atoi(arguments[1]) : 0, on = 1;
    int pause_ms = count > 2 ? atoi(arguments[2]) : 0;
    struct rlimit files = {MAX_FILES, MAX_FILES};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("echo_server");
        return 1;
    }
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int found = epoll_wait(poll, ready, EVENTS, -1);
        for (int i = 0; i < found; i++) {
            int file = ready[i].data.fd;
            if (file == listener) {
                usleep((useconds_t)pause_ms * 1000);
                while ((file = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (file >= MAX_FILES) {
                        close(file);
                        continue;
                    }
                    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    connections[file] = calloc(1, sizeof(struct connection));
                    connections[file]->body_left = -1;
                    event.data.fd = file;
                    epoll_ctl(poll, EPOLL_CTL_ADD, file, &event);
                }
                continue;
            }
            ssize_t size = read(file, scratch, sizeof scratch);
            if (size > 0 ? !take(file, connections[file], scratch, (size_t)size)
                         : size == 0 || (errno != EAGAIN && errno != EINTR))
                drop(file);
        }
    }
}
