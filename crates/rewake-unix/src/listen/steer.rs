//! The little program that chooses a member of a reuseport group for each new connection, as classic BPF. Makes instructions
//! only, never a system call.

/// By what the member for a connection is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By chance, in proportion to the numbers, which are weights; all count alike without.
    Random,
    /// Always the same for one client address, whatever its port. When members come and go only those clients move that must:
    /// those of a member that is not live any more, and the share of a new one. The numbers are what members are known by, so that
    /// one may take another's place with all its clients; the indexes without.
    ClientAddress,
}

/// As in the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) if_true: u8,
    pub(super) if_false: u8,
    pub(super) k: u32,
}

/// `BPF_MAXINSNS`: the kernel takes no more. By chance that is 2,047 members, by client address 338. Older kernels usually
/// have a lower limit for the memory of it (`net.core.optmem_max`), at about 1,200 members by chance.
pub(super) const MOST_INSTRUCTIONS: usize = 4096;

/// The program that chooses among these indexes, which are the kernel's numbers of the members. `None` when there are none. A missing
/// weight is 0; when all are 0, all count alike.
pub(super) fn program(live: &[u16], numbers: Option<&[u32]>, by: Choice) -> Option<Vec<Instruction>> {
    match (live, by) {
        ([], _) => None,
        (&[only], _) => Some(vec![always(only)]),
        (_, Choice::ClientAddress) => Some(by_client(live, numbers)),
        (_, Choice::Random) => Some(by_chance(&shares(live, numbers))),
    }
}

/// What says "this one, whatever comes".
fn always(index: u16) -> Instruction {
    plain(RETURN, u32::from(index))
}

/// The members with a weight, which together stay within 32 bits.
fn shares(live: &[u16], weights: Option<&[u32]>) -> Vec<(u16, u32)> {
    let equal = || live.iter().map(|&index| (index, 1)).collect();
    let Some(weights) = weights else { return equal() };
    let mut shares: Vec<(u16, u32)> = live.iter().copied().zip(weights.iter().copied()).collect();
    while shares.iter().map(|&(_, weight)| u64::from(weight)).sum::<u64>() > u64::from(u32::MAX) {
        for (_, weight) in &mut shares {
            *weight /= 2;
        }
    }
    shares.retain(|&(_, weight)| weight > 0);
    if shares.is_empty() { equal() } else { shares }
}

/// A random number below the sum of the weights, and the member in whose part of that range it is.
fn by_chance(shares: &[(u16, u32)]) -> Vec<Instruction> {
    let Some((&(last, _), others)) = shares.split_last() else { return Vec::new() };
    if others.is_empty() {
        return vec![always(last)];
    }
    let total = shares.iter().map(|&(_, weight)| weight).sum();
    let mut program = vec![plain(LOAD_WORD, RANDOM), plain(MODULO, total)];
    let mut bound = 0;
    for &(index, weight) in others {
        bound += weight;
        program.push(Instruction { code: JUMP_IF_AT_LEAST, if_true: 1, if_false: 0, k: bound });
        program.push(always(index));
    }
    program.push(always(last));
    program
}

/// Each member's score is a hash of the client's address and its number; the highest wins. So a member that comes or goes changes
/// nothing between the others.
fn by_client(live: &[u16], numbers: Option<&[u32]>) -> Vec<Instruction> {
    let mut program = client_hash();
    program.extend([plain(STORE, CLIENT), plain(LOAD, 0), plain(STORE, BEST_SCORE)]);
    // Every score could be 0, at a chance of nothing; but some member must be named.
    program.extend([plain(LOAD, u32::from(live.first().copied().unwrap_or(0))), plain(STORE, BEST)]);
    for (at, &index) in live.iter().enumerate() {
        let number = numbers.and_then(|numbers| numbers.get(at).copied()).unwrap_or(u32::from(index));
        let seed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9);
        program.extend([
            plain(LOAD_MEMORY, CLIENT),
            plain(XOR, seed),
            // The steps of MurmurHash3's finalizer, but for those that leave the high bits, by which is compared, as they are.
            plain(MULTIPLY, 0x85EB_CA6B),
            plain(COPY_TO_X, 0),
            plain(SHIFT_RIGHT, 13),
            plain(XOR_X, 0),
            plain(MULTIPLY, 0xC2B2_AE35),
            plain(LOAD_X_MEMORY, BEST_SCORE),
            Instruction { code: JUMP_IF_MORE_THAN_X, if_true: 0, if_false: 3, k: 0 },
            plain(STORE, BEST_SCORE),
            plain(LOAD, u32::from(index)),
            plain(STORE, BEST),
        ]);
    }
    program.extend([plain(LOAD_MEMORY, BEST), plain(RETURN_IT, 0)]);
    program
}

/// The source address as one number. An IPv4 client of a dual-stack socket comes in an IPv4 packet: its version decides.
fn client_hash() -> Vec<Instruction> {
    let mut program = vec![plain(LOAD_BYTE, NETWORK_HEADER), plain(SHIFT_RIGHT, 4)];
    let mut v6 = vec![plain(LOAD_WORD, NETWORK_HEADER + 8)];
    for word in 1..4 {
        // The high bits go down before the next word comes in, or they would be multiplied away.
        v6.extend([plain(MULTIPLY, 0xCC9E_2D51), plain(COPY_TO_X, 0), plain(SHIFT_RIGHT, 15), plain(XOR_X, 0)]);
        v6.extend([plain(COPY_TO_X, 0), plain(LOAD_WORD, NETWORK_HEADER + 8 + 4 * word), plain(XOR_X, 0)]);
    }
    let v4 = [plain(LOAD_WORD, NETWORK_HEADER + 12)];
    let v4_length = v4.len() as u8;
    v6.push(plain(JUMP, u32::from(v4_length)));
    program.push(Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: v6.len() as u8, k: 6 });
    program.extend(v6);
    program.extend(v4);
    program.extend([plain(MULTIPLY, 0xCC9E_2D51), plain(COPY_TO_X, 0), plain(SHIFT_RIGHT, 16), plain(XOR_X, 0)]);
    program
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, k }
}

// Operation codes, put together from `linux/bpf_common.h`. A is the accumulator, X the index register.
const LOAD: u16 = 0x00;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const LOAD_MEMORY: u16 = 0x60;
const LOAD_X_MEMORY: u16 = 0x61;
const STORE: u16 = 0x02;
const MULTIPLY: u16 = 0x24;
const SHIFT_RIGHT: u16 = 0x74;
const MODULO: u16 = 0x94;
const XOR: u16 = 0xa4;
const XOR_X: u16 = 0xac;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_MORE_THAN_X: u16 = 0x2d;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const RETURN_IT: u16 = 0x16;
const COPY_TO_X: u16 = 0x07;

/// Where loads find the packet from its IP header on: `SKF_NET_OFF`.
const NETWORK_HEADER: u32 = 0xFFF0_0000;
/// Where loads find a new random number: `SKF_AD_OFF + SKF_AD_RANDOM`.
const RANDOM: u32 = 0xFFFF_F000 + 56;

// Cells of the program's memory.
const CLIENT: u32 = 0;
const BEST_SCORE: u32 = 1;
const BEST: u32 = 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    /// What the kernel would do, with its checks: every jump lands inside, every path returns, no cell is read before it is written.
    fn run(program: &[Instruction], packet: &[u8], random: u32) -> u32 {
        let load = |at: u32, length: usize| {
            if at == RANDOM {
                return random;
            }
            let from = (at - NETWORK_HEADER) as usize;
            packet[from..from + length].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
        };
        let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [None; 16], 0);
        loop {
            let Instruction { code, if_true, if_false, k } = program[at];
            let jump = |yes: bool| usize::from(if yes { if_true } else { if_false });
            at += 1;
            match code {
                LOAD => a = k,
                LOAD_WORD => a = load(k, 4),
                LOAD_BYTE => a = load(k, 1),
                LOAD_MEMORY => a = memory[k as usize].unwrap(),
                LOAD_X_MEMORY => x = memory[k as usize].unwrap(),
                STORE => memory[k as usize] = Some(a),
                MULTIPLY => a = a.wrapping_mul(k),
                SHIFT_RIGHT => a >>= k,
                MODULO => a %= k,
                XOR => a ^= k,
                XOR_X => a ^= x,
                COPY_TO_X => x = a,
                JUMP => at += k as usize,
                JUMP_IF_EQUAL => at += jump(a == k),
                JUMP_IF_MORE_THAN_X => at += jump(a > x),
                JUMP_IF_AT_LEAST => at += jump(a >= k),
                RETURN => return k,
                RETURN_IT => return a,
                _ => panic!("no such instruction: {code:#x}"),
            }
        }
    }

    fn packet(source: IpAddr) -> Vec<u8> {
        match source {
            IpAddr::V4(ip) => [&[0x45; 12][..], &ip.octets(), &[9; 4]].concat(),
            IpAddr::V6(ip) => [&[0x60; 8][..], &ip.octets(), &[9; 16]].concat(),
        }
    }

    fn chosen(live: &[u16], source: IpAddr) -> u16 {
        let program = program(live, None, Choice::ClientAddress).unwrap();
        run(&program, &packet(source), 0) as u16
    }

    /// Clients as they come: neighbours, of one kind each.
    fn kinds_of_clients() -> [Vec<IpAddr>; 4] {
        let numbers = 0..1000_u32;
        [
            numbers.clone().map(|n| Ipv4Addr::from_bits(0x0A00_0000 + n).into()).collect(),
            numbers.clone().map(|n| Ipv4Addr::from_bits(0x7F00_0001 + (n << 16)).into()).collect(),
            numbers.clone().map(|n| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)).into()).collect(),
            numbers.map(|n| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << 64 | 1).into()).collect(),
        ]
    }

    #[test]
    fn nobody_gives_no_program_and_one_gets_all() {
        for by in [Choice::Random, Choice::ClientAddress] {
            assert_eq!(program(&[], None, by), None);
            let one = program(&[7], Some(&[0]), by).unwrap();
            assert_eq!((one.len(), run(&one, &[], 1)), (1, 7));
        }
    }

    #[test]
    fn chance_follows_the_weights_exactly() {
        let count = |weights: Option<&[u32]>, upto: u32| {
            let program = program(&[3, 0, 9], weights, Choice::Random).unwrap();
            let mut counts = BTreeMap::new();
            for random in 0..upto {
                *counts.entry(run(&program, &[], random)).or_insert(0) += 1;
            }
            counts
        };
        assert_eq!(count(None, 30), BTreeMap::from([(3, 10), (0, 10), (9, 10)]));
        assert_eq!(count(Some(&[1, 2, 3]), 60), BTreeMap::from([(3, 10), (0, 20), (9, 30)]));
        assert_eq!(count(Some(&[1, 0, 4]), 50), BTreeMap::from([(3, 10), (9, 40)]));
        assert_eq!(count(Some(&[0, 5, 0]), 50), BTreeMap::from([(0, 50)]));
        assert_eq!(count(Some(&[0, 0, 0]), 30), BTreeMap::from([(3, 10), (0, 10), (9, 10)]));
    }

    #[test]
    fn weights_beyond_32_bits_keep_their_proportion() {
        let shares = shares(&[0, 1, 2], Some(&[u32::MAX, u32::MAX, u32::MAX / 2]));
        let total: u64 = shares.iter().map(|&(_, weight)| u64::from(weight)).sum();
        assert!(total <= u64::from(u32::MAX), "{shares:?}");
        assert_eq!((shares[0].1, shares[0].1 / shares[2].1), (shares[1].1, 2));
    }

    #[test]
    fn clients_are_spread_evenly() {
        for members in [2, 4, 7] {
            for clients in kinds_of_clients() {
                let live: Vec<u16> = (0..members).collect();
                let mut counts = vec![0; live.len()];
                for &client in &clients {
                    counts[usize::from(chosen(&live, client))] += 1;
                }
                let fair = clients.len() / live.len();
                let (least, most) = (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
                // Chance alone strays by 6 of its standard deviations once in a million times; the seeds are fixed.
                let stray = 6.0 * (fair as f64).sqrt();
                assert!((fair - least) as f64 <= stray && (most - fair) as f64 <= stray, "{members}: {counts:?}");
            }
        }
    }

    #[test]
    fn a_client_moves_only_when_it_must() {
        for clients in kinds_of_clients() {
            for client in clients {
                let before = chosen(&[0, 1, 2, 3], client);
                let without = chosen(&[0, 1, 3], client);
                assert!(without == before || before == 2, "{client}: {before} {without}");
                let with = chosen(&[0, 1, 2, 3, 4], client);
                assert!(with == before || with == 4, "{client}: {before} {with}");
                assert_eq!(chosen(&[3, 1, 0, 2], client), before, "the order does not matter");
            }
        }
    }

    #[test]
    fn a_member_that_takes_the_number_of_another_takes_its_clients() {
        for client in kinds_of_clients().into_iter().flatten() {
            let before = chosen(&[0, 1, 2], client);
            let program = program(&[0, 5, 2], Some(&[0, 1, 2]), Choice::ClientAddress).unwrap();
            let after = run(&program, &packet(client), 0) as u16;
            assert_eq!(after, if before == 1 { 5 } else { before }, "{client}");
        }
    }

    #[test]
    fn all_of_an_address_counts_and_nothing_else() {
        let base: Ipv6Addr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        for word in 0..4 {
            let seen: std::collections::BTreeSet<u16> = (0..64_u128)
                .map(|n| chosen(&[0, 1, 2, 3], Ipv6Addr::from_bits(base.to_bits() ^ (n << (32 * word))).into()))
                .collect();
            assert_eq!(seen.len(), 4, "word {word} of the address is seen");
        }
        let program = program(&[0, 1, 2, 3], None, Choice::ClientAddress).unwrap();
        let mut other = packet(IpAddr::V6(base));
        let expected = run(&program, &other, 0);
        other[1..8].fill(0xAB);
        other[24..].fill(0xCD);
        assert_eq!(run(&program, &other, 77), expected);
    }

    #[test]
    fn the_limits_are_as_stated() {
        let length = |members: u16, by| program(&(0..members).collect::<Vec<_>>(), None, by).unwrap().len();
        assert!(length(2047, Choice::Random) <= MOST_INSTRUCTIONS);
        assert!(length(2048, Choice::Random) > MOST_INSTRUCTIONS);
        assert!(length(338, Choice::ClientAddress) <= MOST_INSTRUCTIONS);
        assert!(length(339, Choice::ClientAddress) > MOST_INSTRUCTIONS);
    }
}
