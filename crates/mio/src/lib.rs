//! Ropewalk's readiness driver: epoll and kqueue through mio.
