//! Which of the chunks that were found make one stream: the heaviest chain that rises in number and does not go back in
//! offset.
//!
//! Damage costs chunks, but whole ones contradict each other only where a store was copied and both copies were written
//! on. Then the chain that holds the most bytes wins; of two that hold as many, the one that changes segments less often.

use std::collections::HashMap;

/// A chunk, as far as its place in a chain depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    /// Where its bytes are in the stream.
    pub(super) offset: u64,
    pub(super) len: u32,
    /// Which segment it is of: equal for chunks of one.
    pub(super) segment: u32,
}

impl Link {
    fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// How good a chain is: bytes, and then how rarely it changes segments.
type Worth = (u64, i64);

/// The places of the chain's links among `links`, which are sorted by number.
pub(super) fn heaviest(links: &[Link]) -> Vec<usize> {
    let follows = |pair: &[Link]| pair[0].seq < pair[1].seq && pair[0].end() <= pair[1].offset;
    if links.windows(2).all(follows) {
        return (0..links.len()).collect();
    }
    let mut ends: Vec<_> = links.iter().map(Link::end).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut best = Best { tree: vec![None; ends.len() + 1] };
    // In one segment, the best chain so far: to stay in it is better than to change.
    let mut staying: HashMap<u32, (Worth, usize)> = HashMap::new();
    let mut before = vec![None; links.len()];
    let mut heaviest: Option<(Worth, usize)> = None;
    let mut start = 0;
    while start < links.len() {
        let group = start..start + links[start..].iter().take_while(|link| link.seq == links[start].seq).count();
        start = group.end;
        let worths: Vec<_> = group
            .clone()
            .map(|place| {
                let link = &links[place];
                let moved = best.up_to(ends.partition_point(|end| *end <= link.offset));
                let moved = moved.map(|((bytes, changes), from)| ((bytes, changes - 1), Some(from)));
                let stayed = staying.get(&link.segment).filter(|(_, from)| links[*from].end() <= link.offset);
                let stayed = stayed.map(|(worth, from)| (*worth, Some(*from)));
                let ((bytes, changes), from) = moved.max(stayed).unwrap_or(((0, 0), None));
                before[place] = from;
                (bytes.saturating_add(u64::from(link.len)), changes)
            })
            .collect();
        // Only now, as chunks of one number exclude each other.
        for (place, worth) in group.zip(worths) {
            best.insert(ends.partition_point(|end| *end < links[place].end()), (worth, place));
            let stays = staying.entry(links[place].segment).or_insert((worth, place));
            *stays = (*stays).max((worth, place));
            heaviest = heaviest.max(Some((worth, place)));
        }
    }
    let mut chain: Vec<_> = std::iter::successors(heaviest.map(|(_, place)| place), |place| before[*place]).collect();
    chain.reverse();
    chain
}

/// The best chain that ends at one of the first so many ends (a Fenwick tree).
struct Best {
    tree: Vec<Option<(Worth, usize)>>,
}

impl Best {
    fn up_to(&self, count: usize) -> Option<(Worth, usize)> {
        let lower = |at: &usize| Some(at & (at - 1)).filter(|at| *at > 0);
        let places = std::iter::successors(Some(count).filter(|at| *at > 0), lower);
        places.filter_map(|at| self.tree[at]).max()
    }

    fn insert(&mut self, rank: usize, chain: (Worth, usize)) {
        let mut at = rank + 1;
        while at < self.tree.len() {
            self.tree[at] = self.tree[at].max(Some(chain));
            at += at & at.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(seq: u64, offset: u64, len: u32, segment: u32) -> Link {
        Link { seq, offset, len, segment }
    }

    #[test]
    fn what_does_not_contradict_itself_is_kept_as_it_is() {
        let links = [link(0, 0, 5, 0), link(1, 5, 5, 0), link(7, 100, 1, 3)];
        assert_eq!(heaviest(&links), [0, 1, 2]);
        assert_eq!(heaviest(&[]), [0; 0]);
    }

    #[test]
    fn of_two_forks_the_heavier_one_wins_and_is_not_mixed() {
        let trunk: Vec<_> = (0..4).map(|n| link(n, n * 10, 10, 0)).collect();
        let mut links = trunk.clone();
        // Both go on from number 4, in chunks of the same size; the second for longer.
        links.extend((4..9).map(|n| link(n, n * 10, 10, 1)));
        links.extend((4..10).map(|n| link(n, n * 10, 10, 2)));
        links.sort_by_key(|link| (link.seq, link.offset));
        let chain: Vec<_> = heaviest(&links).into_iter().map(|place| links[place]).collect();
        assert_eq!(chain.len(), 10);
        assert!(chain[4..].iter().all(|link| link.segment == 2), "{chain:?}");
    }

    #[test]
    fn it_is_as_heavy_as_the_heaviest_of_all() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut roll = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..2000 {
            let mut links: Vec<_> = (0..=roll(9))
                .map(|_| link(roll(6), roll(40), 1 + u32::try_from(roll(12)).expect("small"), 0))
                .collect();
            links.sort_by_key(|link| (link.seq, link.offset));
            let fits = |chain: &[&Link]| chain.windows(2).all(|p| p[0].seq < p[1].seq && p[0].end() <= p[1].offset);
            let weight = |chain: &[&Link]| chain.iter().map(|link| u64::from(link.len)).sum::<u64>();
            let all = (0_u32..1 << links.len()).map(|set| {
                (0..links.len()).filter(|place| set >> place & 1 == 1).map(|place| &links[place]).collect::<Vec<_>>()
            });
            let most = all.filter(|chain| fits(chain)).map(|chain| weight(&chain)).max();
            let chain: Vec<_> = heaviest(&links).into_iter().map(|place| &links[place]).collect();
            assert!(fits(&chain), "{links:?}");
            assert_eq!(Some(weight(&chain)), most, "{links:?}");
        }
    }
}
