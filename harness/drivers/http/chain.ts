export type Link<Self> = { earlier: Self | undefined; later: Self | undefined };

/** A list whose members carry the links themselves: appended last, and taken out from anywhere, without a search and without garbage. */
export class Chain<Member extends Link<Member>> {
  first: Member | undefined;
  last: Member | undefined;

  append(member: Member) {
    member.earlier = this.last;
    if (this.last === undefined) this.first = member;
    else this.last.later = member;
    this.last = member;
  }

  remove(member: Member) {
    const { earlier, later } = member;
    if (earlier === undefined) this.first = later;
    else earlier.later = later;
    if (later === undefined) this.last = earlier;
    else later.earlier = earlier;
    member.earlier = undefined;
    member.later = undefined;
  }
}
