//! Runs of datagrams of one length to one peer, which go through the kernel as one that it cuts at its lower end (`UDP_SEGMENT`,
//! Linux): one look-up of the route for all of them, and often the network card does the cutting.
//!
//! Not for receiving: the kernel joins what comes only if it comes from a card or was sent this way, and we would need 64 KiB
//! for each.
//!
//! ```text
//!   queue: a a B B B B B B c D D D D
//!          └┬┘ └────┬────┘ ┬ └──┬──┘
//!      sendmmsg  sendmsg   ┊  sendmsg
//! ```

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;

use mio::net::UdpSocket;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, getsockopt, sendmsg, sockopt};
use ropewalk_core::address::Address;
use ropewalk_core::driver::DatagramQueue;

/// Shorter runs are not worth a call of their own.
const LEAST: usize = 4;
/// The kernel cuts into so many at most (`UDP_MAX_SEGMENTS` of the older ones).
const MOST: usize = 64;
/// A whole run is one packet to the kernel, and no longer than one may be.
const MOST_BYTES: usize = 65_000;
/// What does not fit into a packet of the network (1500 bytes less the headers of IPv6 and UDP) would have to be fragmented, and
/// what is cut cannot be.
const LONGEST: usize = 1452;

/// How a queue begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// So many, or more, before the next run.
    Mixed(usize),
    /// A run of so many, and how long each is.
    Run(usize, u16),
}

impl Front {
    pub(crate) fn of(queue: &DatagramQueue) -> Self {
        let (mut start, mut run, mut last) = (0, 0, None);
        for (index, (data, peer)) in queue.iter().take(MOST).enumerate() {
            let this = Some((data.len(), peer));
            let fits = (1..=LONGEST).contains(&data.len()) && (run + 1) * data.len() <= MOST_BYTES;
            if this == last && fits {
                run += 1;
                continue;
            }
            if run >= LEAST {
                break;
            }
            (start, run, last) = (index, usize::from(fits), this);
        }
        match (run >= LEAST, start, last) {
            (true, 0, Some((len, _))) => Self::Run(run, len as u16),
            (true, ..) => Self::Mixed(start),
            _ => Self::Mixed(MOST),
        }
    }
}

/// Whether the kernel cuts what leaves at this socket; `None` is not known yet. Older ones (before 4.18) do not know the
/// option and would send a run as one datagram, so they are asked first.
#[derive(Default)]
pub(crate) struct Segments(Option<bool>);

impl Segments {
    pub(crate) fn work(&mut self, socket: &UdpSocket) -> bool {
        let asked = || getsockopt(socket, sockopt::UdpGsoSegment).is_ok();
        *self.0.get_or_insert_with(asked)
    }

    /// Sends the first `count`, of `len` bytes each; how many went: all, or none because it does not work here, and will
    /// not be tried again. (nix allocates once for it.)
    ///
    /// # Errors
    ///
    /// The kernel does not take them.
    pub(crate) fn send(
        &mut self,
        socket: &UdpSocket,
        queue: &DatagramQueue,
        (count, len): (usize, u16),
    ) -> io::Result<usize> {
        let peer = queue.iter().next().and_then(|(_, peer)| peer);
        let peer = peer.and_then(Address::socket).map(SockaddrStorage::from);
        let sent = sendmsg(
            socket.as_raw_fd(),
            &[IoSlice::new(queue.first_bytes(count))],
            &[ControlMessage::UdpGsoSegments(&len)],
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            peer.as_ref(),
        );
        match sent {
            Ok(_) => Ok(count),
            // A network of small packets, or a card that makes no checksums.
            Err(Errno::EINVAL | Errno::EMSGSIZE | Errno::EIO | Errno::EOPNOTSUPP) => {
                self.0 = Some(false);
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each letter a datagram of that length (as `a` is 1) to that peer.
    fn queue(letters: &str) -> DatagramQueue {
        let mut queue = DatagramQueue::default();
        for letter in letters.bytes() {
            let peer = Address::Udp(([127, 0, 0, 1], u16::from(letter)).into());
            assert!(queue.push(&vec![letter; usize::from(letter - b'a' + 1)], Some(&peer)));
        }
        queue
    }

    #[test]
    fn a_run_ends_where_length_or_peer_change() {
        assert_eq!(Front::of(&queue("")), Front::Mixed(MOST));
        assert_eq!(Front::of(&queue("bbb")), Front::Mixed(MOST));
        assert_eq!(Front::of(&queue("bbbb")), Front::Run(4, 2));
        assert_eq!(Front::of(&queue("bbbbbc")), Front::Run(5, 2));
        assert_eq!(Front::of(&queue("aabbbbbbc")), Front::Mixed(2));
        assert_eq!(Front::of(&queue(&"b".repeat(99))), Front::Run(MOST, 2));
        let mut other = queue("bbb");
        let stranger = Address::Udp(([127, 0, 0, 2], u16::from(b'b')).into());
        assert!(other.push(b"bb", Some(&stranger)) && other.push(b"bb", None));
        assert_eq!(Front::of(&other), Front::Mixed(MOST));
    }

    #[test]
    fn a_run_holds_nothing_that_the_kernel_would_not_cut() {
        for (len, front) in [
            (0, Front::Mixed(MOST)),
            (1, Front::Run(10, 1)),
            (LONGEST, Front::Run(10, LONGEST as u16)),
            (LONGEST + 1, Front::Mixed(MOST)),
        ] {
            let mut queue = DatagramQueue::default();
            (0..10).for_each(|_| assert!(queue.push(&vec![7; len], None)));
            assert_eq!(Front::of(&queue), front, "{len} bytes each");
        }
        let mut long = DatagramQueue::default();
        (0..60).for_each(|_| assert!(long.push(&[7; LONGEST], None)));
        assert_eq!(Front::of(&long), Front::Run(44, LONGEST as u16));
    }
}
