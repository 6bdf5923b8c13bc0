/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Sockets as `struct sock` tells them: the addresses the kernel uses, not those a process
 * handed over.
 */
#ifndef SAKER_SOCKET_H
#define SAKER_SOCKET_H

#include "build.h"

/* Family, two bytes, then at most 108 of path. */
#define UNIX_PATH_BYTES_MAX 108

static __always_inline void put_unix_path(struct scratch *s, struct unix_sock *sock, u16 tag)
{
	struct unix_address *address = KREAD(sock->addr);

	if (!address || !room(s, UNIX_PATH_BYTES_MAX))
		return;
	u32 len = KREAD(address->len) - 2;
	if (len > UNIX_PATH_BYTES_MAX)
		return;
	u8 *to = PLACE(s, FORGET(s->at) + sizeof(struct piece));
	u8 first = 0;

	barrier_number(len);
	if (len > UNIX_PATH_BYTES_MAX)
		return;
	bpf_probe_read_kernel(to, len, &address->name[0].sun_path);
	bpf_probe_read_kernel(&first, 1, &address->name[0].sun_path);
	/* A path in the file system carries its NUL; an abstract name is counted. */
	if (len && first) {
		long n = bpf_probe_read_kernel_str(to, UNIX_PATH_BYTES_MAX,
						   &address->name[0].sun_path);
		if (n > 0 && n <= len)
			len = n - 1;
	}
	close_piece(s, tag, 0, len);
}

GLOBAL int put_socket(u64 file_address)
{
	struct scratch *s = scratch_here();
	struct file *file = (struct file *)file_address;

	if (!s || !room(s, sizeof(struct socket_wire)))
		return 0;
	struct socket *socket = (struct socket *)KREAD(file->private_data);
	struct sock *sk = KREAD(socket->sk);
	struct socket_wire *out =
		(struct socket_wire *)PLACE(s, FORGET(s->at) + sizeof(struct piece));
	u16 family = KREAD(sk->__sk_common.skc_family);

	__builtin_memset(out, 0, sizeof(*out));
	out->family = family;
	out->kind = KREAD(sk->sk_type);
	out->protocol = KREAD(sk->sk_protocol);
	out->state = KREAD(sk->__sk_common.skc_state);
	struct inode *inode = KREAD(file->f_inode);
	out->inode = KREAD(inode->i_ino);
	out->identity = (u64)sk;
	if (family == AF_INET || family == AF_INET6) {
		out->local_port = KREAD(sk->__sk_common.skc_num);
		out->remote_port = __builtin_bswap16(KREAD(sk->__sk_common.skc_dport));
	}
	if (family == AF_INET) {
		bpf_probe_read_kernel(out->local, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_probe_read_kernel(out->remote, 4, &sk->__sk_common.skc_daddr);
	} else if (family == AF_INET6) {
		bpf_probe_read_kernel(out->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(out->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
	close_piece(s, TAG_SOCKET, 0, sizeof(struct socket_wire));
	if (family == AF_UNIX && field_exists(((struct unix_sock *)0)->peer)) {
		struct unix_sock *own = (struct unix_sock *)sk;
		struct unix_sock *peer = (struct unix_sock *)KREAD(own->peer);

		put_unix_path(s, own, TAG_UNIX_PATH);
		if (peer)
			put_unix_path(s, peer, TAG_UNIX_PEER_PATH);
	}
	return 0;
}

#endif
