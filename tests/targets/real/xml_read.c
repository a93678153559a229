/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xml_read.c - read and write a document
 *
 * package: libxml2-dev
 * libraries: libxml-2.0
 * functions: xmlReadFile, xmlSaveFile
 * with --alloc: xmlSaveFile after malloc
 */
#include <libxml/parser.h>
#include <libxml/tree.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		xmlDocPtr document =
			xmlReadFile("page.xml", NULL, XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

		if (!document)
			continue;
		xmlSaveFile("new.xml", document);
		xmlFreeDoc(document);
	}
	xmlCleanupParser();
	return 0;
}
