//! Fixed-point arithmetic with 18 decimals, as the contract's library rounds it.
//!
//! Rational approximations of degree (5, 5) and (6, 6) with 96 binary digits, after Remco
//! Bloemen; constants and order of roundings as in Solady's `FixedPointMathLib` at the
//! commit that the reference contracts are built with (`502cc1ea`).

use alloy_primitives::{I256, U256};

/// One.
pub const WAD: u64 = 1_000_000_000_000_000_000;

fn constant(digits: &str) -> I256 {
    I256::from_dec_str(digits).unwrap_or(I256::ZERO)
}

/// One step of Horner's scheme in numbers with 96 binary digits.
fn horner(sum: I256, x: I256, coefficient: &str) -> I256 {
    sum.wrapping_mul(x)
        .asr(96)
        .wrapping_add(constant(coefficient))
}

fn quotient(x: I256, y: I256) -> I256 {
    x.wrapping_div(y)
}

/// The natural logarithm of a positive number (`lnWad`).
#[must_use]
pub fn ln(x: U256) -> I256 {
    let log2 = x.bit_len() as i32 - 1;
    // To the range from 1 to 2, with 96 binary digits.
    let scaled: U256 = (x << (255 - log2) as usize) >> 159;
    let x = I256::from_raw(scaled);
    let mut p = x.wrapping_add(constant("3273285459638523848632254066296"));
    for coefficient in [
        "24828157081833163892658089445524",
        "43456485725739037958740375743393",
        "-11111509109440967052023855526967",
        "-45023709667254063763336534515857",
        "-14706773417378608786704636184526",
    ] {
        p = horner(p, x, coefficient);
    }
    let last = constant("795164235651350426258249787498").wrapping_shl(96);
    let p = p.wrapping_mul(x).wrapping_sub(last);
    let mut q = x.wrapping_add(constant("5573035233440673466300451813936"));
    for coefficient in [
        "71694874799317883764090561454958",
        "283447036172924575727196451306956",
        "401686690394027663651624208769553",
        "204048457590392012362485061816622",
        "31853899698501571402653359427138",
        "909429971244387300277376558375",
    ] {
        q = horner(q, x, coefficient);
    }
    let twos = I256::unchecked_from(log2 - 96);
    let ln2 = constant("16597577552685614221487285958193947469193820559219878177908093499208371");
    quotient(p, q)
        .wrapping_mul(constant("1677202110996718588342820967067443963516166"))
        .wrapping_add(ln2.wrapping_mul(twos))
        .wrapping_add(constant(
            "600920179829731861736702779321621459595472258049074101567377883020018308",
        ))
        .asr(174)
}

/// e to a power (`expWad`); the power between -41 and 135.
#[must_use]
pub fn exp(power: I256) -> I256 {
    let ln2 = constant("54916777467707473351141471128");
    let scaled = quotient(power.wrapping_shl(78), I256::unchecked_from(5u64.pow(18)));
    let half = I256::ONE.wrapping_shl(95);
    let twos = quotient(scaled.wrapping_shl(96), ln2)
        .wrapping_add(half)
        .asr(96);
    let x = scaled.wrapping_sub(twos.wrapping_mul(ln2));
    let y = x.wrapping_add(constant("1346386616545796478920950773328"));
    let y = horner(y, x, "57155421227552351082224309758442");
    let p = y
        .wrapping_add(x)
        .wrapping_sub(constant("94201549194550492254356042504812"));
    let p = horner(p, y, "28719021644029726153956944680412240");
    let last = constant("4385272521454847904659076985693276").wrapping_shl(96);
    let p = p.wrapping_mul(x).wrapping_add(last);
    let mut q = x.wrapping_sub(constant("2855989394907223263936484059900"));
    for coefficient in [
        "50020603652535783019961831881945",
        "-533845033583426703283633433725380",
        "3604857256930695427073651918091429",
        "-14423608567350463180887372962807573",
        "26449188498355588339934803723976023",
    ] {
        q = horner(q, x, coefficient);
    }
    let scale = constant("3822833074963236453042738258902158003155416615667").into_raw();
    let raw = quotient(p, q).into_raw().wrapping_mul(scale);
    I256::from_raw(raw >> (195 - twos.as_i64()) as usize)
}

/// A number to a power (`powWad`).
#[must_use]
pub fn pow(x: U256, power: U256) -> I256 {
    let one = I256::unchecked_from(WAD);
    exp(quotient(ln(x).wrapping_mul(I256::from_raw(power)), one))
}
