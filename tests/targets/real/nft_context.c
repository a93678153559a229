/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nft_context.c - the packet filter
 *
 * package: libnftables-dev
 * libraries: libnftables
 * functions: nft_ctx_new, nft_run_cmd_from_filename
 */
#include <nftables/libnftables.h>
#include <stdio.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);

		if (!context)
			continue;
		nft_ctx_set_dry_run(context, true);
		nft_ctx_buffer_error(context);
		nft_run_cmd_from_filename(context, "rules.nft");
		nft_ctx_free(context);
	}
	return 0;
}
