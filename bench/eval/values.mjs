// usage: node values.mjs COUNT SEED: made-up people and things in 12 locales, a JSON object a line, for bench/detect-eval.
import * as f from "@faker-js/faker";

const [count, seed] = process.argv.slice(2).map(Number);
const locales = ["en_US", "en_GB", "de", "fr", "es", "it", "pt_BR", "nl", "pl", "sv", "ja", "zh_CN"];
// some locales' numbers begin with +0, which no country has
const phone = (k) => { for (;;) { const n = k.phone.number({style: "international"}); if (/^\+[1-9]/.test(n)) return n; } };
for (const [i, name] of locales.entries()) {
	const k = f["faker" + name.split("_").map((p) => p.toUpperCase()).join("_")];
	if (!k) throw new Error(`no locale ${name}`);
	k.seed(seed + i);
	const safe = (make) => { try { return make(); } catch { return null; } };
	for (let n = 0; n < count; n++)
		console.log(JSON.stringify({
			locale: name,
			first: safe(() => k.person.firstName()), last: safe(() => k.person.lastName()), city: safe(() => k.location.city()),
			street: safe(() => k.location.streetAddress()), company: safe(() => k.company.name()), product: safe(() => k.commerce.productName()),
			email: k.internet.email(), phone: phone(k), card: k.finance.creditCardNumber(),
			iban: k.finance.iban({formatted: n % 2 === 0}), ipv4: k.internet.ipv4(), ipv6: k.internet.ipv6().replace(/^..../, "2a01")	/* faker's are mostly outside of 2000::/3, which nobody has */, mac: k.internet.mac(),
			jwt: safe(() => k.internet.jwt()), agent: k.internet.userAgent(), url: k.internet.url(), words: k.lorem.sentence(),
			uuid: k.string.uuid(), price: k.commerce.price(), version: k.system.semver(),
		}));
}
